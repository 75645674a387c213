//! The words of letters, in both languages.
//!
//! Invariant: every kind of notice has its words in both languages, by the compiler. They are
//! fixed texts: what they speak of is put in by the letter, from ids, days and titles.

use crate::base::Lang;
use crate::store::state::notice::Kind;

/// What happened, as the subject of a letter has it.
pub fn subject(kind: Kind, lang: Lang) -> &'static str {
    words(kind, lang).0
}

/// What the reader is asked to do, or is told.
pub fn request(kind: Kind, lang: Lang) -> &'static str {
    words(kind, lang).1
}

fn words(kind: Kind, lang: Lang) -> (&'static str, &'static str) {
    let (zh, en) = match kind {
        Kind::ConsentNeeded => (
            ("请审核共享申请", "本部门经办人已提交该共享申请，请您审核是否同意送交提供部门。"),
            (
                "An application waits for your consent",
                "Your department's applicant handed in this application. Please decide whether it goes to the provider.",
            ),
        ),
        Kind::VoteNeeded => (
            ("请审批共享申请", "该共享申请已到您的审批环节，请您审阅并表决。"),
            (
                "An application waits for your vote",
                "This application has reached your stage of review. Please review it and vote.",
            ),
        ),
        Kind::AcceptanceNeeded => (
            ("请确认共享条件", "提供部门已给出共享条件，请您审阅并决定是否接受。接受后授权生效。"),
            (
                "An offer waits for your acceptance",
                "The provider has made an offer. Please review its terms and decide whether to accept; the grant begins with the acceptance.",
            ),
        ),
        Kind::ExtensionNeeded => (
            ("请审核延期申请", "提供部门申请延长答复期限，请您审核。"),
            ("More time is asked for", "The provider asks for more time to answer. Please decide."),
        ),
        Kind::ResumeNeeded => (
            ("请确认恢复授权", "已有一人提出恢复该授权，须由另一人同意方可生效，请您审核。"),
            (
                "A grant waits to be resumed",
                "One person has asked to resume this grant. A second must agree. Please decide.",
            ),
        ),
        Kind::NotConsented => (
            ("共享申请未获本部门同意", "本部门负责人未同意送交该共享申请，已退为草稿，理由请登录查看。"),
            (
                "Your department did not consent",
                "Your department's sharing lead did not consent, and the application is a draft again. Please sign in for the reason.",
            ),
        ),
        Kind::Returned => (
            ("共享申请已退回补正", "提供部门已一次性告知需补正的内容，请登录查看并补正后重新提交。"),
            (
                "An application was returned",
                "The provider has named everything that is missing. Please sign in, complete the application and hand it in again.",
            ),
        ),
        Kind::Refused => (
            ("共享申请未获批准", "提供部门未批准该共享申请，理由和依据请登录查看。"),
            (
                "An application was refused",
                "The provider has refused this application. Please sign in for the reason and its legal basis.",
            ),
        ),
        Kind::Overdue => (
            ("共享申请已逾期", "该共享申请的办理期限已过，尚未办结，请尽快办理。逾期不视为同意。"),
            (
                "An application is overdue",
                "The deadline has passed without an answer. Please deal with it soon. Silence never approves.",
            ),
        ),
        Kind::Suspended => (
            ("授权已中止", "该授权已中止，相关查询即刻停止应答，理由请登录查看。"),
            (
                "A grant was suspended",
                "This grant is suspended, and queries under it are no longer answered. Please sign in for the reason.",
            ),
        ),
        Kind::Revoked => (
            ("授权已撤销", "提供部门已撤销该授权，相关查询即刻停止应答，理由请登录查看。"),
            (
                "A grant was revoked",
                "The provider has revoked this grant, and queries under it are no longer answered. Please sign in for the reason.",
            ),
        ),
        Kind::EmergencyOpened => (
            ("应急访问已开启", "有人员对该目录项开启了应急访问，特此告知。"),
            (
                "Emergency access was opened",
                "Emergency access to this dataset was opened. You are hereby told.",
            ),
        ),
        Kind::EmergencyReviewNeeded => (
            (
                "请复核应急访问",
                "一次应急访问已结束，请在期限内复核。逾期未复核的，将暂停相关人员的应急资格。",
            ),
            (
                "Emergency access waits for your review",
                "An emergency access has ended. Please review it in time, or the enrolment is suspended.",
            ),
        ),
        Kind::EnrolmentSuspended => (
            ("应急资格已暂停", "一次应急访问未在期限内复核，相关人员的应急资格已暂停。"),
            (
                "An enrolment was suspended",
                "An emergency access was not reviewed in time, so the enrolment for it is suspended.",
            ),
        ),
        Kind::Consented => (
            ("已送交提供部门", "本部门已同意，该共享申请已送交提供部门，答复期限自此起算。"),
            (
                "Sent to the provider",
                "Your department consented. The provider's time to answer runs from now.",
            ),
        ),
        Kind::Approved => (
            ("已通过一项审批", "提供部门的一名审批人已同意。"),
            ("A vote was cast for it", "One of the provider's reviewers voted for it."),
        ),
        Kind::Offered => (
            ("提供部门已给出共享条件", "审批已全部通过，待本部门负责人接受。"),
            ("An offer was made", "Every vote was cast. It waits for your sharing lead's acceptance."),
        ),
        Kind::InForce => (
            ("授权已生效", "共享条件已被接受，授权生效。"),
            ("A grant is in force", "The offer was accepted, and the grant is in force."),
        ),
        Kind::OfferDeclined => (
            ("共享条件未被接受", "申请部门未接受共享条件，该申请已办结。"),
            ("An offer was declined", "The requester declined the offer. The application is closed."),
        ),
        Kind::ExtensionAsked => (
            ("提供部门申请延期", "提供部门申请延长答复期限，待专班联络员审核。"),
            ("More time was asked for", "The provider asked for more time. The coordinator decides."),
        ),
        Kind::ExtensionGranted => (
            ("已同意延期", "答复期限已延长。"),
            ("More time was allowed", "The time to answer was extended."),
        ),
        Kind::ExtensionRefused => (
            ("未同意延期", "答复期限不变。"),
            ("More time was not allowed", "The time to answer stays as it was."),
        ),
        Kind::Commented => (
            ("有新的意见", "对方提出了意见，请登录查看。"),
            ("There is a comment", "The other side commented. Please sign in to read it."),
        ),
        Kind::Resumed => {
            (("授权已恢复", "该授权已恢复生效。"), ("A grant was resumed", "The grant is in force again."))
        }
        Kind::Closed => (
            ("授权已终止", "申请部门已主动终止该授权。"),
            ("A grant was closed", "The requester ended the grant."),
        ),
        Kind::Expired => (
            ("授权已到期", "该授权已过最后一日，自动失效。"),
            ("A grant expired", "The grant's last day has passed."),
        ),
        Kind::Withdrawn => (
            ("共享申请已撤回", "申请人已撤回该共享申请。"),
            ("An application was withdrawn", "The applicant took the application back."),
        ),
        Kind::Lapsed => (
            ("共享申请已失效", "长期未办理，该共享申请已失效。"),
            ("An application lapsed", "Nobody went on with the application in time."),
        ),
        Kind::Reminded => (
            ("办理期限将至", "该事项的办理期限将至，请及时办理。"),
            ("A deadline comes near", "Please deal with it before its last day."),
        ),
        Kind::Recomputed => (
            ("办理期限已更新", "因年度工作日历公布，办理期限已重新计算。"),
            ("A deadline was worked out anew", "A year's calendar of working days was published."),
        ),
        Kind::RenewalOffered => (
            ("授权即将到期", "该授权将在 30 天内到期，如需继续，请提交续期申请。"),
            (
                "A grant ends soon",
                "The grant ends within 30 days. If it is still needed, apply for a renewal.",
            ),
        ),
        Kind::Late => (
            ("逾期事项", "该事项已逾期，请督办。"),
            ("Late", "Its deadline has passed. Please follow it up."),
        ),
    };
    match lang {
        Lang::Zh => zh,
        Lang::En => en,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_words_in_both_languages() {
        for kind in Kind::ALL {
            for text in [subject(*kind, Lang::Zh), request(*kind, Lang::Zh)] {
                assert!(text.chars().any(|c| ('\u{4e00}'..'\u{9fff}').contains(&c)), "{kind:?}: {text}");
            }
            for text in [subject(*kind, Lang::En), request(*kind, Lang::En)] {
                assert!(text.is_ascii() && text.len() > 3, "{kind:?}: {text}");
            }
            assert!(request(*kind, Lang::Zh).ends_with('。'), "{kind:?}");
            assert!(request(*kind, Lang::En).ends_with('.'), "{kind:?}");
        }
    }

    #[test]
    fn no_two_kinds_have_the_same_subject() {
        let mut seen = std::collections::HashSet::new();
        for kind in Kind::ALL {
            assert!(
                seen.insert(subject(*kind, Lang::Zh)) && seen.insert(subject(*kind, Lang::En)),
                "{kind:?}"
            );
        }
    }
}
