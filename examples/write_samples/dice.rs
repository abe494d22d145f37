//! Numbers that look random and are the same every time.

/// A small generator (xorshift64*), seeded by the caller.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// A generator; every seed gives another sequence.
    pub fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            dice.next();
        }
        dice
    }

    /// The next 64 bits.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in `chances`.
    pub fn once_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    /// Bytes that do not compress.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }

    /// Text of words, about `count` bytes long, ASCII.
    pub fn words(&mut self, count: usize) -> String {
        const WORDS: [&str; 12] = [
            "mailbox", "store", "page", "tree", "leaf", "folder", "message", "recover", "night",
            "server", "a", "the",
        ];
        let mut text = String::with_capacity(count + 8);
        while text.len() < count {
            text.push_str(WORDS[self.below(WORDS.len())]);
            text.push(' ');
        }
        text.truncate(count);
        text
    }
}
