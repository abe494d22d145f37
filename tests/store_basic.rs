//! A store pair from nothing: mailboxes, folders, mails in both forms, read back after reopening, shared and deleted.

#![allow(clippy::unwrap_used)] // a test program

mod store_support;

use std::sync::Arc;

use dialtone::ese::error::Refusal;
use dialtone::mapi::{ItemFlags, MailboxGuid};
use dialtone::store::{
    Form, LOGON_ROLES, MailboxProfile, NewFolder, Role, Store, StoreIdentity, StoreWriter,
};

use store_support::{
    NOW, PATH, create, create_at, mapi, mime, open, path, profile, promoted, reopen,
};

#[test]
fn a_new_mailbox_has_its_folders_and_roles() {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    assert_eq!(mailbox.logon_folders.len(), LOGON_ROLES.len());
    let again = writer.add_mailbox(&profile(1)).unwrap_err();
    assert_eq!(again.refusal(), Some(Refusal::DuplicateKey));
    writer.close().unwrap();

    let store = open(&volume);
    let view = store.view();
    let found = view.mailboxes().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].profile, profile(1));
    assert_eq!(view.find_mailbox("USER 1").unwrap(), found[0]);
    assert_eq!(view.find_mailbox(&profile(1).dn.to_uppercase()).unwrap(), found[0]);
    assert_eq!(view.find_mailbox(&found[0].profile.guid.to_string()).unwrap(), found[0]);
    assert_eq!(view.find_mailbox("nobody").unwrap_err().refusal(), Some(Refusal::NotFound));

    let roles = view.roles(&found[0]).unwrap();
    assert_eq!(roles.len(), 19);
    let tree = view.folders(found[0].root).unwrap();
    assert_eq!(tree.iter().count(), 19);
    assert_eq!(tree.orphans().count(), 0);
    for (role, id) in &roles {
        let folder = tree.get(*id).unwrap();
        assert_eq!(folder.name, role.default_name());
        assert_eq!(folder.class, role.container_class());
        let parent = role.parent().map(|role| roles.iter().find(|(r, _)| *r == role).unwrap().1);
        assert_eq!(folder.parent, parent);
        let below = tree.iter().filter(|(other, _)| other.parent == Some(*id)).count();
        assert_eq!(folder.subfolders, below as i64, "{}", folder.name);
    }
    let drafts = view.folder_at(&found[0], "drafts").unwrap();
    assert_eq!(drafts.id, view.folder_at(&found[0], "#drafts#").unwrap().id);
    assert!(view.folder_at(&found[0], "#no such#").is_err());
}

#[test]
fn a_mail_comes_back_byte_for_byte_after_reopening() {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
    let mut ids = Vec::new();
    // Empty, smaller than a page, a page, over a page, clusters with a tail.
    for (number, len_bytes) in [(1, 1), (2, 700), (3, 4096), (4, 4097), (5, 300_000)] {
        let bytes = mime(number, len_bytes);
        let mail = promoted(number, &bytes);
        ids.push((number, writer.insert_mime(inbox, &mail, &bytes).unwrap(), bytes, mail));
    }
    writer.close().unwrap();

    let store = open(&volume);
    let view = store.view();
    for (number, id, bytes, mail) in &ids {
        let item = view.item(*id).unwrap().unwrap();
        assert_eq!(item.headers.subject, format!("RE: Mail {number}"));
        assert_eq!(item.categories, mail.categories);
        assert_eq!(item.read, mail.flags.contains(ItemFlags::READ));
        assert_eq!(item.search_key, Some(mail.search_key));
        assert_eq!(item.commit_time, Some(NOW));
        assert_eq!(item.created, mail.delivery_time);
        let content = view.content(item.instance).unwrap().unwrap();
        assert_eq!(content.form, Form::Mime);
        assert_eq!((content.references, content.soft_references), (1, 0));
        let mut expected = mail.clone();
        expected.categories.clear();
        expected.flags = ItemFlags::empty();
        assert_eq!(content.promoted, expected);
        assert_eq!(view.mime(&content).unwrap().as_ref(), Some(bytes));
    }
    let mut listed = Vec::new();
    view.each_item_by_date(inbox, &mut |item| {
        listed.push(item?.id);
        Ok(())
    })
    .unwrap();
    // The higher the number, the older the mail.
    assert_eq!(listed, ids.iter().map(|(_, id, ..)| *id).collect::<Vec<_>>());
    let folder = view.folder(inbox).unwrap().unwrap();
    assert_eq!((folder.counts.normal.items, folder.counts.unread), (5, 3));
    assert_eq!(folder.counts.bytes(), ids.iter().map(|(_, _, b, _)| b.len() as i64).sum::<i64>());
    assert_eq!(view.mailboxes().unwrap()[0].items, 5);
}

#[test]
fn a_mail_in_mapi_form_comes_back_whole() {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
    let mail = mapi(7, 20_000, true);
    let id = writer.insert_mapi(inbox, &mail).unwrap();
    let twin = writer.insert_mapi(inbox, &mail).unwrap();
    let other = writer.insert_mapi(inbox, &mapi(7, 20_001, true)).unwrap();
    writer.close().unwrap();

    let store = open(&volume);
    let view = store.view();
    let item = view.item(id).unwrap().unwrap();
    let content = view.content(item.instance).unwrap().unwrap();
    assert_eq!((content.form, content.references), (Form::Mapi, 2));
    assert_eq!(view.item(twin).unwrap().unwrap().instance, item.instance);
    assert_ne!(view.item(other).unwrap().unwrap().instance, item.instance);
    let mut expected = mail;
    let bare = |mail: &mut dialtone::mapi::MapiMessage| {
        mail.promoted.categories.clear();
        mail.promoted.flags = ItemFlags::empty();
    };
    bare(&mut expected);
    if let dialtone::mapi::AttachmentBody::Message { message, .. } =
        &mut expected.attachments[1].body
    {
        bare(message);
    }
    assert_eq!(view.mapi_message(&content).unwrap(), expected);
    assert_eq!(view.mime(&content).unwrap(), None);
}

#[test]
fn one_mail_for_many_is_stored_once_and_goes_with_its_last_holder() {
    let (volume, mut writer) = create(1);
    let bytes = mime(1, 100_000);
    let mail = promoted(1, &bytes);
    let mut items = Vec::new();
    for number in 1..=5 {
        let mailbox = writer.add_mailbox(&profile(number)).unwrap();
        let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
        items.push(writer.insert_mime(inbox, &mail, &bytes).unwrap());
    }
    writer.commit().unwrap();
    let instance = writer.view().unwrap().item(items[0]).unwrap().unwrap().instance;
    let view = writer.view().unwrap();
    for item in &items {
        assert_eq!(view.item(*item).unwrap().unwrap().instance, instance);
    }
    assert_eq!(view.content(instance).unwrap().unwrap().references, 5);
    // Same key, same time, same length, other bytes: not the same mail.
    let mut forged = bytes.clone();
    forged[99_999] ^= 1;
    let inbox = items[0].folder;
    let other = writer.insert_mime(inbox, &mail, &forged).unwrap();
    assert_ne!(writer.view().unwrap().item(other).unwrap().unwrap().instance, instance);
    writer.delete_item(other).unwrap();

    for item in &items[1..] {
        writer.delete_item(*item).unwrap();
    }
    writer.soft_delete_item(items[0]).unwrap();
    writer.flush().unwrap();
    let content = writer.view().unwrap().content(instance).unwrap().unwrap();
    assert_eq!((content.references, content.soft_references), (0, 1));
    assert_eq!(writer.view().unwrap().mime(&content).unwrap(), Some(bytes));
    writer.delete_item(items[0]).unwrap();
    writer.close().unwrap();

    let store = open(&volume);
    assert_eq!(store.view().content(instance).unwrap(), None);
    let chunks = store.tables().stm().read_chunks(store.database().file()).unwrap();
    for chunk in chunks {
        assert_eq!(chunk.count(dialtone::stm::PageState::Free), 512, "all pages are free again");
    }
    for mailbox in store.view().mailboxes().unwrap() {
        assert_eq!((mailbox.items, mailbox.deleted_items, mailbox.bytes), (0, 0, 0));
    }
}

#[test]
fn items_are_copied_moved_read_and_edited() {
    let (volume, mut writer) = create(1);
    let mailbox = writer.add_mailbox(&profile(1)).unwrap();
    let inbox = mailbox.logon_folder(Role::Inbox).unwrap();
    let sub = writer.ensure_folder(&mailbox, "Projekte/Größe").unwrap();
    assert_eq!(
        writer.ensure_folder(&mailbox, "projekte/GRÖSSE").unwrap_or(sub.clone()).class,
        "IPF.Note"
    );
    let twice = writer.create_folder(sub.parent.unwrap(), &NewFolder::named("GRÖßE")).unwrap_err();
    assert_eq!(twice.refusal(), Some(Refusal::DuplicateKey));
    let bytes = mime(3, 5000);
    let mail = promoted(3, &bytes);
    let id = writer.insert_mime(inbox, &mail, &bytes).unwrap();
    let copy = writer.copy_item(id, sub.id).unwrap();
    let moved = writer.move_item(id, sub.id).unwrap();
    assert_ne!(moved.message, id.message, "a move gives new ids");
    writer.set_read(moved, true).unwrap();
    let edited_bytes = mime(3, 6000);
    writer.edit_item(copy, &promoted(3, &edited_bytes), &edited_bytes).unwrap();
    writer.close().unwrap();

    let store = open(&volume);
    let view = store.view();
    let empty = view.folder(inbox).unwrap().unwrap();
    assert_eq!((empty.counts.normal.items, empty.deleted_total), (0, 1));
    let full = view.folder(sub.id).unwrap().unwrap();
    assert_eq!((full.counts.normal.items, full.counts.unread, full.counts.bytes()), (2, 1, 11_000));
    assert_eq!(full.counts.normal.recipients, 4);
    assert_eq!((full.counts.normal.attachments, full.next_article), (2, 3));
    assert_eq!(view.item(id).unwrap(), None);
    let copy = view.item(copy).unwrap().unwrap();
    assert_eq!(copy.search_key, Some(mail.search_key), "an edit keeps the search key");
    assert_eq!((copy.modified, copy.created), (Some(NOW), Some(NOW)));
    let content = view.content(copy.instance).unwrap().unwrap();
    assert_eq!(view.mime(&content).unwrap(), Some(edited_bytes));
    let both = view.items_by_key(mailbox.root, mail.search_key).unwrap();
    assert_eq!(both.len(), 2);
    assert!(
        copy.pcl.includes(&both[0].pcl) || both[0].pcl.includes(&both[1].pcl) || both.len() == 2
    );
}

#[test]
fn a_store_like_another_has_its_mailboxes_and_none_of_its_ids() {
    let (volume, mut writer) = create(1);
    for number in 1..=3 {
        writer.add_mailbox(&profile(number)).unwrap();
    }
    writer.close().unwrap();
    let dynamic = Arc::new(volume.clone());
    let like = std::path::Path::new("/s/dial.edb");
    let identity = StoreIdentity::from_seed(2);
    let writer = StoreWriter::create_like(dynamic, like, &identity, &open(&volume)).unwrap();
    writer.close().unwrap();
    let (old, new) = (open(&volume), Store::open(&volume, like).unwrap());
    let profiles = |store: &Store| -> Vec<MailboxProfile> {
        store.view().mailboxes().unwrap().into_iter().map(|mailbox| mailbox.profile).collect()
    };
    assert_eq!(profiles(&old), profiles(&new));
    let (old, new) = (old.view().info().unwrap(), new.view().info().unwrap());
    assert_ne!(old.replica, new.replica);
    assert_ne!(old.store, new.store);
}

#[test]
fn ids_never_repeat_across_commits_and_writers() {
    let (volume, mut writer) = create(1);
    let first = writer.reserve_ids(10).unwrap();
    writer.commit().unwrap();
    let second = writer.reserve_ids(1).unwrap();
    assert_eq!(second.get(), first.get() + 10);
    writer.close().unwrap();
    let mut writer = reopen(&volume);
    assert_eq!(writer.reserve_ids(1).unwrap().get(), second.get() + 1);
    writer.step_over(1 << 40, 5);
    assert_eq!(writer.reserve_ids(1).unwrap().get(), 1 << 40);
    assert!(writer.reserve_ids(1 << 48).is_err());
    writer.close().unwrap();
}

#[test]
fn files_that_exist_are_never_overwritten() {
    let (volume, writer) = create(1);
    writer.close().unwrap();
    let before = volume.file_bytes(PATH).unwrap();
    let identity = StoreIdentity::from_seed(9);
    let again = StoreWriter::create(Arc::new(volume.clone()), &path(), &identity).unwrap_err();
    assert_eq!(again.refusal(), Some(Refusal::BadRequest));
    assert_eq!(volume.file_bytes(PATH).unwrap(), before);
    let names: Vec<_> = volume.paths().iter().map(|path| path.display().to_string()).collect();
    assert_eq!(names, ["/s/priv1.edb", "/s/priv1.stm"], "nothing else is left");
    let _ = create_at(&volume, "/s/other.edb", 3);
    assert_eq!(MailboxGuid::default(), MailboxGuid::default());
}
