//! What happens, step by step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::mail::EDITED;
use super::say;
use super::tables::{Column, print_folders};
use crate::cli::exit::Failure;
use crate::cli::output::Output;
use crate::ese::check::{Finding, Severity, check};
use crate::io::{IoError, RealVolume, Volume};
use crate::mail::{Envelope, Importer, MailError, StoredForm, promote};
use crate::mapi::FileTime;
use crate::recover::{JobReport, Mode, Options, RunOptions, recover};
use crate::stm::stm_path;
use crate::store::check::check_store;
use crate::store::{Store, StoreIdentity, StoreWriter};

/// 2004-01-12 08:00, when the old store was filled; the day of the dial tone is the next one.
const MONDAY: FileTime = FileTime::from_unix_seconds(1_073_894_400);
const TUESDAY: FileTime = FileTime::from_unix_seconds(1_073_980_800);

/// The stores and the mail.
pub struct Story<'s> {
    mail: &'s Path,
    old: PathBuf,
    dialtone: PathBuf,
    copied: PathBuf,
}

impl<'s> Story<'s> {
    pub fn new(directory: &Path, mail: &'s Path) -> Self {
        let file = |name: &str| directory.join(name);
        Self {
            mail,
            old: file("old.edb"),
            dialtone: file("dialtone.edb"),
            copied: file("copied.edb"),
        }
    }

    pub fn play(&self, output: &mut Output) -> Result<(), Failure> {
        say(
            output,
            "\nMonday. The store old.edb holds the mail of Ann, Bo and Cleo. At night the server dies.",
        )?;
        self.fill_old()?;
        say(
            output,
            "Tuesday. dialtone.edb is made: the same mailboxes, empty, within a moment. Everybody works on.",
        )?;
        self.live_a_day()?;
        say(output, "In the evening old.edb is back from the backup. This is what there is:\n")?;
        self.show(&[("old", &self.old), ("dialtone", &self.dialtone)], output)?;
        self.copy_pair()?;
        say(
            output,
            "\nRecovery, merge: what is missing is added, newer versions stay, nothing is doubled.\n",
        )?;
        let merged = self.recover(&self.dialtone, Mode::Merge, output)?;
        say(output, "\nThe same once more: there is nothing left to do.\n")?;
        let again = self.recover(&self.dialtone, Mode::Merge, output)?;
        say(
            output,
            "\nRecovery, copy: into another copy of the dial-tone store, the old mailbox is laid over it.\n",
        )?;
        self.recover(&self.copied, Mode::CopyOverlay, output)?;
        say(output, "\nAfterwards:\n")?;
        let all = [
            ("old", &self.old),
            ("dialtone, merged", &self.dialtone),
            ("dialtone, copied over", &self.copied),
        ];
        self.show(&all, output)?;
        say(output, "")?;
        for (name, path) in all {
            self.check(name, path, output)?;
        }
        self.judge(&merged, &again, output)
    }

    fn fill_old(&self) -> Result<(), Failure> {
        let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
        let mut writer = StoreWriter::create(volume, &self.old, &StoreIdentity::fresh())?;
        writer.set_now(MONDAY);
        let everyone = ["Ann", "Bo", "Cleo"].map(str::to_owned);
        let mail = |name: &str| self.mail.join(name);
        let writer = import(writer, &everyone[..1], "", StoredForm::Mixed, &[mail("eml")])?;
        let writer =
            import(writer, &everyone[1..2], "#inbox#", StoredForm::Mime, &[mail("maildir")])?;
        let writer = import(writer, &everyone[2..], "", StoredForm::Mime, &[mail("archive")])?;
        // One copy in the store, whoever holds it.
        let lists = mail("eml/Lists");
        import(writer, &everyone[1..], "Lists", StoredForm::Mime, &[lists])?.close()?;
        Ok(())
    }

    /// New mail, and what Ann does with mail that her own machine has kept: she files one, edits one, and gets one twice.
    fn live_a_day(&self) -> Result<(), Failure> {
        let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
        let old = Store::open(&*volume, &self.old)?;
        let identity = StoreIdentity::fresh();
        let mut writer = StoreWriter::create_like(volume, &self.dialtone, &identity, &old)?;
        writer.set_now(TUESDAY);
        let (ann, bo) = (["Ann".to_owned()], ["Bo".to_owned()]);
        let mail = |name: &str| self.mail.join(name);
        let today = ["today/1.eml", "today/2.eml", "today/3.eml"].map(mail);
        let writer = import(writer, &ann, "#inbox#", StoredForm::Mime, &today)?;
        let writer = import(writer, &bo, "#inbox#", StoredForm::Mime, &[mail("today/4.eml")])?;
        let moved = [mail("eml/Inbox/plain-short.eml"), mail("eml/Inbox/html-only.eml")];
        let writer = import(writer, &ann, "Kept safe", StoredForm::Mixed, &moved)?;
        let twice = mail("eml/Inbox/alternative.eml");
        let twice = [twice.clone(), twice];
        let mut writer = import(writer, &ann, "#inbox#", StoredForm::Mixed, &twice)?;
        self.edit(&mut writer)?;
        Ok(writer.close()?)
    }

    /// Ann rewrites a letter that she had sent.
    fn edit(&self, writer: &mut StoreWriter) -> Result<(), Failure> {
        let draft = self.mail.join("eml/Sent Items/tower-0.eml");
        let bytes = std::fs::read(&draft).map_err(|error| IoError::os(&draft, "open", error))?;
        let ann = writer.view()?.find_mailbox("Ann")?;
        let folder = writer.view()?.folder_at(&ann, "#sent_items#")?.id;
        let envelope = Envelope::default();
        let item = writer.insert_mime(folder, &promote(&bytes, &envelope), &bytes)?;
        let edited = EDITED.as_bytes();
        Ok(writer.edit_item(item, &promote(edited, &envelope), edited)?)
    }

    fn copy_pair(&self) -> Result<(), Failure> {
        let pairs = [
            (stm_path(&self.dialtone), stm_path(&self.copied)),
            (self.dialtone.clone(), self.copied.clone()),
        ];
        for (from, to) in pairs {
            std::fs::copy(&from, &to).map_err(|error| IoError::os(&from, "copy", error))?;
        }
        Ok(())
    }

    fn recover(&self, to: &Path, mode: Mode, output: &mut Output) -> Result<JobReport, Failure> {
        let volume: Arc<dyn Volume> = Arc::new(RealVolume::mapped());
        let run = RunOptions::new(*uuid::Uuid::new_v4().as_bytes());
        let options = Options::new(mode, TUESDAY.0);
        let report = recover(&volume, &self.old, to, &options, &run, &mut |_| {})?;
        if output.is_json() {
            crate::cli::recover_report::tell_total(&report, &run, output)?;
        } else {
            crate::cli::recover_report::print_report(&report, &run, output)?;
        }
        Ok(report)
    }

    fn show(&self, stores: &[(&str, &PathBuf)], output: &mut Output) -> Result<(), Failure> {
        let mut columns = Vec::new();
        for (name, path) in stores {
            columns.push(Column::read(name, path)?);
        }
        print_folders(&columns, output)
    }

    fn check(&self, name: &str, path: &Path, output: &mut Output) -> Result<(), Failure> {
        let volume = RealVolume::mapped();
        let mut errors = 0;
        let mut count =
            |finding: &Finding| errors += u64::from(finding.severity == Severity::Error);
        check(&volume, path, &mut count)?;
        let summary = check_store(&volume, path, &mut count)?;
        if output.is_json() {
            output.line("checked", &[("store", json!(name)), ("errors", json!(errors))])?;
        } else {
            let (items, contents) = (summary.items, summary.contents);
            output.text(&format!(
                "check {name}: {items} items, {contents} contents, {errors} errors"
            ))?;
        }
        if errors > 0 { Err(Failure::Findings(errors)) } else { Ok(()) }
    }

    /// The demo is also a test: what it says must be true.
    fn judge(
        &self,
        merged: &JobReport,
        again: &JobReport,
        output: &mut Output,
    ) -> Result<(), Failure> {
        let idle = again.counters.inserted + again.counters.replaced == 0;
        let sums = merged.adds_up() && again.adds_up();
        if !idle || !sums || merged.failed() + again.failed() > 0 {
            return Err(Failure::SumsDiffer);
        }
        say(output, "\nBoth recoveries are complete, and a second one changes nothing.")
    }
}

fn import(
    writer: StoreWriter,
    mailboxes: &[String],
    folder: &str,
    form: StoredForm,
    paths: &[PathBuf],
) -> Result<StoreWriter, Failure> {
    let mut importer = Importer::new(writer, mailboxes, folder, form)?;
    let mut failed: Option<String> = None;
    for path in paths {
        let mut note = |error: &MailError| failed = Some(error.to_string());
        importer.add(path, &mut note, &mut |_| {})?;
    }
    match failed {
        Some(reason) => Err(crate::ese::EseError::corrupt_bytes(reason).into()),
        None => Ok(importer.into_writer()),
    }
}
