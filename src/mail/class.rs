//! Message classes: what kind of item a mail becomes (`S1a`). Knows MIME types and calendar methods, nothing of stores.

use super::bodies::Bodies;
use super::mime::Part;

/// The class of an ordinary mail.
const NOTE: &str = "IPM.Note";

/// The message class of a parsed mail. Source: the published classes of MAPI messages; exchange-store 12.6 `S1a`.
pub(super) fn of(root: &Part<'_>, bodies: &Bodies<'_, '_>) -> String {
    let kind = &root.content_type;
    let class = match (kind.main.as_str(), kind.sub.as_str()) {
        ("multipart", "signed") => "IPM.Note.SMIME.MultipartSigned",
        ("application", "pkcs7-mime" | "x-pkcs7-mime") => "IPM.Note.SMIME",
        ("multipart", "report") => report(root),
        _ => bodies.calendar.map_or(NOTE, calendar),
    };
    class.to_string()
}

/// The class of a report, by its type and what it says was done.
fn report(root: &Part<'_>) -> &'static str {
    let status = root.children.iter().find(|part| part.content_type.main == "message");
    let status = status.map(Part::text).unwrap_or_default();
    let says = |word: &str| {
        status.lines().filter_map(|line| line.split_once(':')).any(|(name, value)| {
            let field =
                ["action", "disposition"].iter().any(|f| name.trim().eq_ignore_ascii_case(f));
            field && value.to_ascii_lowercase().contains(word)
        })
    };
    let kind = root.content_type.raw("report-type").unwrap_or_default().to_ascii_lowercase();
    match kind.as_str() {
        "disposition-notification" if says("displayed") => "REPORT.IPM.Note.IPNRN",
        "disposition-notification" => "REPORT.IPM.Note.IPNNRN",
        "delivery-status" if says("failed") => "REPORT.IPM.Note.NDR",
        "delivery-status" if says("delayed") => "REPORT.IPM.Note.Delayed",
        "delivery-status" if says("delivered") || says("relayed") || says("expanded") => {
            "REPORT.IPM.Note.DR"
        }
        "delivery-status" => "REPORT.IPM.Note.NDR",
        _ => NOTE,
    }
}

/// The class of a mail that carries a calendar object, by its method.
fn calendar(part: &Part<'_>) -> &'static str {
    let text = part.text().to_ascii_uppercase();
    let method = part.content_type.raw("method").map(str::to_ascii_uppercase);
    let written =
        || text.lines().find_map(|line| line.trim().strip_prefix("METHOD:").map(str::to_string));
    match method.or_else(written).as_deref().map(str::trim) {
        Some("REQUEST") => "IPM.Schedule.Meeting.Request",
        Some("CANCEL") => "IPM.Schedule.Meeting.Canceled",
        Some("REPLY") if text.contains("PARTSTAT=DECLINED") => "IPM.Schedule.Meeting.Resp.Neg",
        Some("REPLY") if text.contains("PARTSTAT=TENTATIVE") => "IPM.Schedule.Meeting.Resp.Tent",
        Some("REPLY") => "IPM.Schedule.Meeting.Resp.Pos",
        _ => NOTE,
    }
}
