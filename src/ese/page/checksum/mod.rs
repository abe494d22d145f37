//! Page and header checksums.
