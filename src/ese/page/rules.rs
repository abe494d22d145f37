//! The rules that a single page must satisfy. Source: ese-physical 5.3, 6.3.

use super::key::{compare_bytes, compare_parts};
use super::layout::{self, NodeFlags, PageFlags};
use super::view::{Node, PageView};
use crate::ese::error::{EseError, EseResult};

/// Checks the space accounting, the tags and the nodes of one page.
///
/// # Errors
/// [`EseError::Corrupt`] naming the first rule that is broken.
pub fn check_page(page: &PageView<'_>) -> EseResult<()> {
    if page.flags().intersects(PageFlags::EMPTY | PageFlags::PRE_INIT) {
        return Ok(());
    }
    check_space(page)?;
    check_nodes(page)
}

fn corrupt(page: &PageView<'_>, reason: String) -> EseError {
    EseError::corrupt(page.pgno(), reason).in_tree(page.objid())
}

/// Bytes in use, holes and tags must add up, and no two tags may share a byte.
fn check_space(page: &PageView<'_>) -> EseResult<()> {
    let area = page.size().data_bytes();
    let (mut used, mut end, mut is_in_order) = (0, 0, true);
    for index in 0..page.tag_count() {
        let tag = page.tag(index)?;
        used += tag.length_bytes;
        if tag.length_bytes > 0 {
            is_in_order &= tag.offset >= end;
            end = end.max(tag.offset + tag.length_bytes);
        } else if index >= page.reserved_tags() {
            return Err(corrupt(page, format!("tag {index} is empty")));
        }
    }
    let (tags_bytes, free) = (layout::TAG_BYTES * page.tag_count(), page.free_bytes());
    if used + free + tags_bytes != area {
        return Err(corrupt(
            page,
            format!("{used} bytes used, {free} free and {tags_bytes} of tags are not {area}"),
        ));
    }
    if page.uncommitted_free_bytes() > free {
        return Err(corrupt(page, "more uncommitted free bytes than free bytes".into()));
    }
    // Pages that were filled entry by entry are in order, and need no sorting.
    if !is_in_order && has_overlap(page)? {
        return Err(corrupt(page, "two tags overlap".into()));
    }
    if page.first_free() < end || page.first_free() + tags_bytes > area {
        return Err(corrupt(
            page,
            format!("the first free byte is said to be {}, nodes end at {end}", page.first_free()),
        ));
    }
    Ok(())
}

fn has_overlap(page: &PageView<'_>) -> EseResult<bool> {
    let mut extents = Vec::with_capacity(page.tag_count());
    for index in 0..page.tag_count() {
        let tag = page.tag(index)?;
        if tag.length_bytes > 0 {
            extents.push((tag.offset, tag.offset + tag.length_bytes));
        }
    }
    extents.sort_unstable();
    Ok(extents.windows(2).any(|pair| pair[0].1 > pair[1].0))
}

/// Each node must decode, have data, and stand after the one before it.
fn check_nodes(page: &PageView<'_>) -> EseResult<()> {
    let by_data =
        page.has(PageFlags::NON_UNIQUE) && page.is_leaf() && !page.has(PageFlags::SPACE_TREE);
    let page = &PageView::framed(page.bytes(), page.pgno(), page.frame());
    let last = page.node_count().saturating_sub(1);
    let mut before: Option<Node<'_>> = None;
    for line in 0..page.node_count() {
        let node = page.node(line)?;
        let broken = |reason: &str| Err(corrupt(page, reason.to_owned()).on_line(line));
        if node.data.is_empty() {
            return broken("a node without data");
        }
        if node.key.is_empty() && (page.is_leaf() || line != last) {
            return broken("an empty key");
        }
        if !page.is_leaf() {
            page.child(line)?;
            if node.flags.contains(NodeFlags::DELETED) {
                return broken("a deleted branch node");
            }
        }
        if let Some(before) = before {
            let is_end = node.key.is_empty();
            if !is_end && !stands_after(&before, &node, by_data) {
                return broken("keys are not ascending");
            }
        }
        before = Some(node);
    }
    Ok(())
}

/// Whether `node` may follow `before`: by key, in a non-unique index by key and then data.
pub fn stands_after(before: &Node<'_>, node: &Node<'_>, by_data: bool) -> bool {
    let (before_key, key) = (&before.key, &node.key);
    // Nodes of one page share what they share with tag 0.
    let order = if before_key.prefix.len() == key.prefix.len() {
        compare_bytes(before_key.prefix, key.prefix)
            .then_with(|| compare_bytes(before_key.suffix, key.suffix))
    } else {
        compare_parts([before_key.prefix, before_key.suffix, &[]], [key.prefix, key.suffix, &[]])
    };
    match order {
        std::cmp::Ordering::Less => true,
        std::cmp::Ordering::Equal => by_data && before.data < node.data,
        std::cmp::Ordering::Greater => false,
    }
}
