//! Numbers that look random and come again with the same seed, and slices of case lists that are too long for every run.

/// SplitMix64: small, and good enough to pick test cases.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The series of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    /// So many random bytes.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Which cases of a long list a run takes.
#[derive(Debug)]
pub struct Slice {
    seed: u64,
    is_full: bool,
}

impl Slice {
    /// Another slice on every run: `DIALTONE_SEED` repeats one, `DIALTONE_FULL=1` takes all cases. Says which it is.
    pub fn of_this_run(what: &str) -> Self {
        let is_full = std::env::var_os("DIALTONE_FULL").is_some_and(|value| value == "1");
        let given = std::env::var("DIALTONE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            now.map_or(1, |now| now.as_nanos() as u64 & 0xffff_ffff)
        });
        match is_full {
            true => println!("{what}: all cases"),
            false => println!("{what}: a slice; repeat it with DIALTONE_SEED={seed}"),
        }
        Self { seed, is_full }
    }

    /// The number that the slice follows from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Whether all cases are taken.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether case `index` of `total` is taken when about `wanted` should be.
    pub fn takes(&self, index: usize, total: usize, wanted: usize) -> bool {
        let draw =
            Random::new(self.seed ^ (index as u64).wrapping_mul(0x2545_f491_4f6c_dd1d)).next();
        self.is_full || draw % (total.max(1) as u64) < wanted as u64
    }
}
