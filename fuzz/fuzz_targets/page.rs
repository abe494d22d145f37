//! One page of any size: every way of reading it, and, where the rules accept it, every way of editing it. An edited page
//! must keep the rules.
#![no_main]

use dialtone::ese::page::{PageEditor, PageSize, PageView, Pgno, checksum, rules};
use dialtone::ese::tree::SpaceHeader;
use dialtone::ese::txn::check_editable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((choice, input)) = input.split_first() else { return };
    let size = PageSize::ALL[usize::from(*choice) % PageSize::ALL.len()];
    let mut page = input.to_vec();
    page.resize(size.bytes(), 0);
    let pgno = Pgno::fixed(7);
    checksum::correct(&mut page, pgno);
    let Ok(view) = PageView::new(&page, pgno) else { return };
    read(&view);
    if size == PageSize::KIB4 && check_editable(&view).is_ok() {
        edit(&mut page, pgno, input);
    }
});

fn read(view: &PageView<'_>) {
    let _ = SpaceHeader::of(view);
    for line in 0..view.node_count() + 1 {
        if let Ok(node) = view.node(line) {
            assert_eq!(node.key.len_bytes(), node.key.to_vec().len());
        }
        let _ = view.child(line);
    }
    let _ = view.partition(|node| node.key.compare(b"middle").is_lt());
}

fn edit(page: &mut [u8], pgno: Pgno, input: &[u8]) {
    let mut editor = PageEditor::over(page, pgno);
    for step in input.iter().rev().take(16) {
        let count = editor.view().node_count();
        let line = usize::from(*step) % (count + 1);
        match step % 3 {
            0 if line < count => editor.delete_node(line),
            1 if line < count => {
                editor.replace_data(line, &[1; 200][..usize::from(*step).max(1).min(200)]);
            }
            // Behind all others, so that the order stays.
            _ => {
                let key = [[0xff; 250].as_slice(), &[*step]].concat();
                editor.insert_node(count, &key, &[2; 60]);
            }
        }
        editor.compact();
    }
    let view = editor.view();
    for line in 0..view.node_count() {
        assert!(view.node(line).is_ok(), "an edited page lost node {line}");
    }
    // Order is the caller's affair, space is the editor's.
    if let Err(error) = rules::check_page(&view) {
        assert!(error.to_string().contains("ascending"), "{error}");
    }
}
