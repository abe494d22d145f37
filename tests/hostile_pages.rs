//! Databases with hostile pages: reading and writing them ends with an answer or a typed error, never with a panic, a hang
//! or a flood of memory. Every byte that has a meaning to the page and tree layers is set to awkward values, pages point
//! where they should not, files end early.
#![allow(clippy::unwrap_used)] // helpers of tests, like the tests

mod support;

use dialtone::ese::page::{PageView, Pgno};
use dialtone::ese::tree::Tree;

use support::hostile::{Base, PAGE, base, exercise, page_mut, restamp, volume_of};
use support::random::{Random, Slice};

/// Cases of a run that is not full.
const SLICE_CASES: usize = 20_000;
/// Ways of writing that [`exercise`] knows for four trees.
const VARIANTS: usize = 16;

/// One way to spoil the database.
#[derive(Debug, Clone)]
struct Case {
    pgno: Pgno,
    /// Where on the page, and the bytes put there.
    offset: usize,
    bytes: Vec<u8>,
    is_stamped: bool,
}

impl Case {
    fn apply(&self, bytes: &mut [u8]) {
        let page = page_mut(bytes, self.pgno);
        page[self.offset..self.offset + self.bytes.len()].copy_from_slice(&self.bytes);
        if self.is_stamped {
            restamp(bytes, self.pgno);
        }
    }
}

/// Runs the cases that `slice` takes and reports those that fail.
fn run(base: &Base, cases: &[Case], slice: &Slice, wanted: usize) {
    let mut failures = Vec::new();
    let (mut done, mut with_errors) = (0, 0);
    for (index, case) in cases.iter().enumerate() {
        if !slice.takes(index, cases.len(), wanted) {
            continue;
        }
        let mut bytes = base.bytes.clone();
        case.apply(&mut bytes);
        let variants = if slice.is_full() { VARIANTS } else { 1 };
        for turn in 0..variants {
            let variant = Random::new(index as u64).below(VARIANTS) + turn;
            match exercise(&volume_of(&bytes), &base.trees, variant) {
                Ok(outcome) => with_errors += usize::from(outcome.read_errors > 0),
                Err(text) => failures.push(format!("{case:?}, variant {variant}: {text}")),
            }
            done += 1;
        }
    }
    println!("{done} cases, {with_errors} noticed while reading, {} failed", failures.len());
    assert!(with_errors > 0 || done < 100, "nobody notices anything");
    report(failures);
}

fn report(failures: Vec<String>) {
    let count = failures.len();
    let first: Vec<String> = failures.into_iter().take(20).collect();
    assert!(first.is_empty(), "{count} cases failed:\n{}", first.join("\n"));
}

/// The six values that a byte is set to.
fn values(old: u8) -> [u8; 6] {
    [0, 1, 0x7f, 0x80, 0xff, old ^ 1]
}

/// Offsets on a page that say something about it: its header, its tags, the lengths in front of each node; and all of
/// the small nodes, where page numbers and extents stand.
fn telling_offsets(page: &[u8], pgno: Pgno) -> Vec<usize> {
    let view = PageView::new(page, pgno).unwrap();
    let mut offsets: Vec<usize> = (0..40).collect();
    offsets.extend(PAGE - 4 * view.tag_count()..PAGE);
    for index in 0..view.tag_count() {
        let tag = view.tag(index).unwrap();
        let telling = if tag.length_bytes <= 40 { tag.length_bytes } else { 5 };
        offsets.extend((40 + tag.offset..).take(telling));
    }
    offsets.sort_unstable();
    offsets.dedup();
    offsets
}

fn byte_cases(base: &mut Base) -> Vec<Case> {
    let mut cases = Vec::new();
    for (pgno, _) in base.used_pages() {
        let page = page_mut(&mut base.bytes, pgno).to_vec();
        for offset in telling_offsets(&page, pgno) {
            for value in values(page[offset]) {
                for is_stamped in [false, true] {
                    cases.push(Case { pgno, offset, bytes: vec![value], is_stamped });
                }
            }
        }
    }
    cases
}

#[test]
fn no_byte_of_a_page_makes_reading_or_writing_panic() {
    let mut base = base();
    let cases = byte_cases(&mut base);
    assert!(cases.len() > 20_000, "{} cases", cases.len());
    run(&base, &cases, &Slice::of_this_run("bytes of pages"), SLICE_CASES);
}

/// Every number on a page that names another page: links, children, roots, extents.
fn pointer_offsets(base: &mut Base) -> Vec<(Pgno, usize)> {
    let mut places = Vec::new();
    for (pgno, tree) in base.used_pages() {
        let page = page_mut(&mut base.bytes, pgno).to_vec();
        let view = PageView::new(&page, pgno).unwrap();
        places.extend([(pgno, 16), (pgno, 20)]);
        if view.is_root() {
            let tag = view.tag(0).unwrap();
            places.extend((0..4).map(|word| (pgno, 40 + tag.offset + word * 4)));
        }
        if !view.is_leaf() || tree.is_space {
            for line in 0..view.node_count() {
                let tag = view.tag(line + 1).unwrap();
                places.push((pgno, 40 + tag.offset + tag.length_bytes - 4));
                if tree.is_space {
                    places.push((pgno, 40 + tag.offset + tag.length_bytes - 8));
                }
            }
        }
    }
    places
}

#[test]
fn pages_that_point_anywhere_are_no_danger() {
    let mut base = base();
    let mut cases = Vec::new();
    for (pgno, offset) in pointer_offsets(&mut base) {
        let old = page_mut(&mut base.bytes, pgno)[offset..offset + 4].to_vec();
        let numbers = (0u32..70).chain([0x7fff_ffff, 0x7fef_fffe, 0xffff_ffff, 0x8000_0000]);
        for number in numbers {
            let bytes = number.to_le_bytes().to_vec();
            if bytes != old {
                cases.push(Case { pgno, offset, bytes, is_stamped: true });
                // Extents have their keys the other way round.
                let bytes = number.to_be_bytes().to_vec();
                cases.push(Case { pgno, offset, bytes, is_stamped: true });
            }
        }
    }
    run(&base, &cases, &Slice::of_this_run("page numbers"), SLICE_CASES / 4);
}

#[test]
fn several_wrong_bytes_at_once_are_no_danger() {
    let mut base = base();
    let slice = Slice::of_this_run("several bytes");
    let mut random = Random::new(if slice.is_full() { 1 } else { slice.seed() });
    let pages: Vec<(Pgno, Tree)> = base.used_pages();
    let rounds = if slice.is_full() { 20_000 } else { 3000 };
    let mut failures = Vec::new();
    for round in 0..rounds {
        let mut bytes = base.bytes.clone();
        let mut said = Vec::new();
        for _ in 0..random.below(6) + 2 {
            let (pgno, _) = pages[random.below(pages.len())];
            let offsets = telling_offsets(page_mut(&mut base.bytes, pgno), pgno);
            let offset = offsets[random.below(offsets.len())];
            let value = values(page_mut(&mut bytes, pgno)[offset])[random.below(6)];
            let case = Case { pgno, offset, bytes: vec![value], is_stamped: true };
            case.apply(&mut bytes);
            said.push(case);
        }
        let variant = random.below(VARIANTS);
        if let Err(text) = exercise(&volume_of(&bytes), &base.trees, variant) {
            failures.push(format!("round {round}, {said:?}, variant {variant}: {text}"));
        }
    }
    report(failures);
}

#[test]
fn a_file_may_end_anywhere() {
    let base = base();
    let mut failures = Vec::new();
    let borders = (0..base.bytes.len()).step_by(PAGE);
    let odd = [1, 100, 511, 4095, 4097, 8191, 8193, 12_289, 20_000, base.bytes.len() - 1];
    for (number, length) in borders.chain(odd).enumerate() {
        for variant in [number, number + 5] {
            if let Err(text) = exercise(&volume_of(&base.bytes[..length]), &base.trees, variant) {
                failures.push(format!("{length} bytes, variant {variant}: {text}"));
            }
        }
    }
    report(failures);
}

#[test]
fn a_page_may_be_lost_or_be_another_page() {
    let base = base();
    let used = base.used_pages();
    let mut failures = Vec::new();
    for (number, (pgno, _)) in used.iter().enumerate() {
        for (turn, (other, _)) in [used[0]].iter().chain(used.iter().step_by(3)).enumerate() {
            let mut bytes = base.bytes.clone();
            let copied = page_mut(&mut bytes, *other).to_vec();
            // In the first turn the page is lost; then it is a copy of another one.
            let new = if turn == 0 { vec![0; PAGE] } else { copied };
            page_mut(&mut bytes, *pgno).copy_from_slice(&new);
            if turn > 0 {
                restamp(&mut bytes, *pgno);
            }
            if let Err(text) = exercise(&volume_of(&bytes), &base.trees, number + turn) {
                failures.push(format!("page {pgno}, turn {turn} ({other}): {text}"));
            }
        }
    }
    report(failures);
}

#[test]
fn no_byte_of_the_database_header_makes_a_writer_panic() {
    let base = base();
    let mut failures = Vec::new();
    for offset in 4..700 {
        for (number, value) in values(base.bytes[offset]).into_iter().enumerate() {
            let mut header = base.bytes[..PAGE].to_vec();
            header[offset] = value;
            let sum = dialtone::ese::page::checksum::legacy_xor(&header).to_le_bytes();
            header[..4].copy_from_slice(&sum);
            let bytes = [&header, &header, &base.bytes[2 * PAGE..]].concat();
            if let Err(text) = exercise(&volume_of(&bytes), &base.trees, offset + number) {
                failures.push(format!("header byte {offset} = {value}: {text}"));
            }
        }
    }
    report(failures);
}
