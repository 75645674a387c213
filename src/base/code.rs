//! The one table of problem codes.
//!
//! Invariant: a code never changes its meaning or its status once published. The texts say what
//! happened and what to do about it, in both languages, and hold nothing of a request: so no
//! value or identifier can travel in a problem, a log line or an audit record.

use super::lang::Lang;

macro_rules! codes {
    ($($name:ident $code:literal $status:literal
        zh $zh_title:literal $zh_detail:literal
        en $en_title:literal $en_detail:literal)+) => {
        /// Why a request, a field or a member was not accepted; or `Ok`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "each is documented by its texts in the table")]
        pub enum Code { $($name,)+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name,)+];

            /// The stable name, kebab-case.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)+ }
            }

            /// The HTTP status that goes with it.
            pub fn status(self) -> u16 {
                match self { $(Code::$name => $status,)+ }
            }

            /// What happened, in a few words.
            pub fn title(self, lang: Lang) -> &'static str {
                match (self, lang) { $((Code::$name, Lang::Zh) => $zh_title, (Code::$name, Lang::En) => $en_title,)+ }
            }

            /// What to do about it.
            pub fn detail(self, lang: Lang) -> &'static str {
                match (self, lang) { $((Code::$name, Lang::Zh) => $zh_detail, (Code::$name, Lang::En) => $en_detail,)+ }
            }
        }
    };
}

codes! {
    Ok "ok" 200
        zh "成功" "请求已处理。"
        en "Done" "The request was answered."

    // --- the message -------------------------------------------------------------------------
    MalformedRequest "malformed-request" 400
        zh "请求不合规" "请求行、标头或路径不符合 HTTP 规范，请检查客户端。"
        en "Malformed request" "The request line, headers or path are not as HTTP has them. Check the client."
    MalformedJson "malformed-json" 400
        zh "JSON 格式错误" "请求体不是合法的 UTF-8 JSON。指针标出解析停止的位置。"
        en "Malformed JSON" "The body is not valid JSON in UTF-8. The pointer names where parsing stopped."
    DuplicateKey "duplicate-key" 400
        zh "成员重复" "同一对象中成员名出现了两次，请只保留一个。"
        en "Duplicate member" "An object names the same member twice. Keep one."
    TooDeep "too-deep" 400
        zh "嵌套过深" "请求体的嵌套超过 32 层。"
        en "Nested too deeply" "The body nests deeper than 32 levels."
    CertificateRequired "certificate-required" 401
        zh "需要客户端证书" "请使用已登记的客户端证书建立 TLS 连接。"
        en "Client certificate required" "Connect with the client certificate that was registered for your system."
    CertificateUnknown "certificate-unknown" 401
        zh "证书未登记" "证书有效，但其密钥未登记到任何系统。请管理员登记公钥指纹。"
        en "Certificate not registered" "The certificate is valid, but its key belongs to no registered system. Ask the administrator to register its fingerprint."
    CertificateRevoked "certificate-revoked" 401
        zh "证书已失效" "证书已过期、已吊销，或吊销列表已陈旧。请更换证书；若证书无误，请联系管理员。"
        en "Certificate no longer valid" "The certificate has expired or been revoked, or the revocation list is stale. Renew the certificate; if it is in order, tell the administrator."
    SignInRequired "sign-in-required" 401
        zh "需要登录" "请以人员账号登录后再试；会话可能已过期。"
        en "Sign-in required" "Sign in with a person's account; the session may have ended."
    SignInFailed "sign-in-failed" 401
        zh "登录失败" "账号、口令或动态码不正确，或账号不可用。请核对后重试；一次一码，动态码不能重复使用。"
        en "Sign-in failed" "Account, password or code is not right, or the account may not sign in. Check them and try again; a code can be used once."
    SignInUnfinished "sign-in-unfinished" 403
        zh "登录尚未完成" "请先更改一次性口令并绑定动态码，再办理其他事项。"
        en "Sign-in not finished" "Change the one-time password and set up the code generator first."
    CrossSite "cross-site" 403
        zh "跨站请求被拒绝" "该请求来自其他网站，未被执行。"
        en "Request from another site" "The request was made by the page of another site, so it was not carried out."
    ExclusiveRoles "exclusive-roles" 409
        zh "角色互斥" "系统管理员、安全管理员、审计员三员分立，同一人（含其所有账号）只能担任其一。"
        en "Roles exclude each other" "Of system_admin, security_admin and auditor a person may hold one only, over all accounts of that person."
    AccountTaken "account-taken" 409
        zh "账号或证书已被占用" "该账号名、证书或外部身份已有归属，请换用其他的。"
        en "Taken already" "The account's name, or the certificate, belongs to somebody already. Use another."
    Forbidden "forbidden" 403
        zh "无权操作" "调用方已识别，但其角色不允许此操作。"
        en "Not allowed" "You are known, but none of your roles allows this."
    ConsentRequired "consent-required" 403
        zh "需要另一人同意" "查看个人查询历史须经另一名有同等权限的人员同意。请先提出并等待同意，再以同一号码、同一业务编号查询；同意逾时失效。"
        en "A second officer's consent required" "A person's history is shown only with the consent of a second officer with the same right. Ask for it, then come again with the same identifier and case before it ends."
    CallerSuspended "caller-suspended" 403
        zh "调用已暂停" "安全管理员已暂停该系统或该经办人员的调用。请与数据局安全管理员联系。"
        en "Calls suspended" "The security administrator has suspended this system, or the official on whose behalf it asks. Ask the security administrator."
    Refused "refused" 403
        zh "查询被拒绝" "至少一个数据项不可提供，原因逐项列于 fields；可以 on_refusal=omit 获取其余数据项。"
        en "Query refused" "At least one field may not be given; `fields` says why for each. With on_refusal=omit the others are answered."
    NotFound "not-found" 404
        zh "未找到" "该资源不存在，或调用方无权知悉。"
        en "Not found" "There is no such resource, or you may not know of it."
    MethodNotAllowed "method-not-allowed" 405
        zh "方法不允许" "该路径不支持此方法，参见 Allow 标头。"
        en "Method not allowed" "This path does not support the method; see the Allow header."
    RequestTimeout "request-timeout" 408
        zh "请求超时" "请求体未在限时内送达，请重发。"
        en "Request too slow" "The body did not arrive in time. Send it again."
    DataFault "data-fault" 409
        zh "数据有误" "数据本身无法给出确定的答案，例如一人有多行。请提供部门更正数据。"
        en "Fault in the data" "The data itself gives no certain answer: several rows for one person, for example. The provider must correct it."
    WrongState "wrong-state" 409
        zh "当前状态不允许" "该对象当前所处的状态不允许此操作，请重新读取后再试。"
        en "Not in this state" "What you want to do is not possible in its present state. Read it again."
    NotSeparate "not-separate" 403
        zh "职责未分离" "您已在此事项中承担其他职责，不能再作此决定，请由他人办理。"
        en "Duties not separate" "You had another part in this matter, so the decision must be another person's."
    VersionMismatch "version-mismatch" 412
        zh "版本不符" "该对象已被他人更改，请重新读取后再决定。"
        en "Changed meanwhile" "Somebody changed it since you read it. Read it again before you decide."
    KeyReused "idempotency-key-reused" 422
        zh "幂等键重复使用" "此 Idempotency-Key 已用于另一个请求，请换用新的键。"
        en "Idempotency key used before" "This Idempotency-Key was used for another request. Use a new one."
    TooLarge "too-large" 413
        zh "请求过大" "请求体超过 256 KiB，请拆分。"
        en "Request too large" "The body is over 256 KiB. Split the request."
    UnsupportedMediaType "unsupported-media-type" 415
        zh "媒体类型不支持" "请以 Content-Type: application/json 发送，不使用内容编码。"
        en "Media type not supported" "Send Content-Type: application/json, without content coding."
    InvalidRequest "invalid-request" 422
        zh "请求未通过校验" "请求与接口模式不符，errors 逐项指出位置与原因。"
        en "Request not valid" "The request does not match the schema; `errors` names each place and reason."
    QuotaExhausted "quota-exhausted" 429
        zh "授权用量已尽" "授权的当日用量已用完，请在 Retry-After 之后重试，或申请更大用量。"
        en "Quota used up" "The grant's volume for today is used up. Try again after Retry-After, or apply for more."
    TooManyAttempts "too-many-attempts" 429
        zh "登录尝试过多" "登录失败次数过多，请在 Retry-After 之后重试，或以证书登录。"
        en "Too many attempts to sign in" "Too many attempts have failed. Try again after Retry-After, or sign in with a certificate."
    TooManyDrafts "too-many-drafts" 409
        zh "草稿过多" "本人或本部门未提交的申请草稿已达上限，请先提交或撤回部分草稿。"
        en "Too many drafts" "You or your department have as many drafts open as there may be. Submit or withdraw some first."
    TooManyCommands "too-many-commands" 429
        zh "当日操作过多" "本账号今日对该申请的操作次数已达上限，请明日再办；终止、撤回不受此限。"
        en "Too many commands today" "This account has added as much to the application today as it may. Go on tomorrow; what ends or stops something is not held to this."
    TooManyRehearsals "too-many-rehearsals" 429
        zh "试查询过多" "一分钟内的试查询次数已达上限，请在 Retry-After 之后再试。"
        en "Too many queries tried out" "As many queries were tried out as may be in a minute. Try again after Retry-After."
    TooManyRefusals "too-many-refusals" 429
        zh "被拒请求过多" "短时间内被拒绝的请求过多。请修正请求后再试。"
        en "Too many refused requests" "Too many requests were refused in a short time. Correct the request before trying again."
    Internal "internal" 500
        zh "内部错误" "网关出现意外错误。请携 request_id 联系管理员。"
        en "Internal error" "The gateway met an unexpected error. Give the administrator the request_id."
    ProviderInvalid "provider-answer-invalid" 502
        zh "提供方应答不合规" "提供部门的应答与目录不符，未披露任何内容。"
        en "Provider's answer not valid" "The provider's answer does not match its catalogue entry. Nothing of it was disclosed."
    ProviderTooLarge "provider-answer-too-large" 502
        zh "提供方应答过大" "提供部门的应答超过上限，未披露任何内容。"
        en "Provider's answer too large" "The provider's answer is over the limit. Nothing of it was disclosed."
    ProviderFailed "provider-failed" 502
        zh "提供方故障" "提供部门的适配器不可达或报告错误，请稍后重试。"
        en "Provider failed" "The provider's adapter could not be reached or reported an error. Try again later."
    IdentityProviderFailed "identity-provider-failed" 502
        zh "统一身份认证故障" "统一身份认证服务不可达或应答不合规，请稍后重试，或改用口令、证书登录。"
        en "Identity provider failed" "The identity provider could not be reached, or its answer is of no use. Try again later, or sign in with a password or a certificate."
    ProviderSuspended "provider-suspended" 502
        zh "提供方暂停" "提供部门连续故障，熔断器已断开；将在 Retry-After 之后试探恢复。"
        en "Provider suspended" "The provider failed repeatedly and its breaker is open; it is tried again after Retry-After."
    ProviderBusy "provider-busy" 503
        zh "提供方繁忙" "该提供部门的并发请求已达上限，请稍后重试。"
        en "Provider busy" "The provider's bound on concurrent requests is reached. Try again shortly."
    AuditUnavailable "audit-unavailable" 503
        zh "审计不可用" "审计记录无法持久化，因此未披露任何内容。请稍后重试。"
        en "Audit log unavailable" "The record could not be made durable, so nothing was disclosed. Try again later."
    NotReady "not-ready" 503
        zh "尚未就绪" "网关正在启动、停止或无法确认其状态。"
        en "Not ready" "The gateway is starting, stopping or cannot confirm its state."
    Overloaded "overloaded" 503
        zh "网关繁忙" "网关已达并发上限，请在 Retry-After 之后重试。"
        en "Gateway busy" "The gateway's bound on concurrent work is reached. Try again after Retry-After."
    ProviderTimeout "provider-timeout" 504
        zh "提供方超时" "提供部门未在限时内应答。"
        en "Provider too late" "The provider did not answer in time."

    // --- one member of a request -------------------------------------------------------------
    UnknownMember "unknown-member" 422
        zh "未知成员" "接口没有此成员，请删除。"
        en "Unknown member" "The interface has no such member. Remove it."
    MissingMember "missing-member" 422
        zh "缺少成员" "此成员为必填。"
        en "Missing member" "This member is required."
    WrongType "wrong-type" 422
        zh "类型错误" "值的 JSON 类型不符。"
        en "Wrong type" "The value has the wrong JSON type."
    OutOfBounds "out-of-bounds" 422
        zh "超出范围" "长度、数量或数值超出允许范围。"
        en "Out of bounds" "The length, number of items or value is outside what is allowed."
    WrongPattern "wrong-pattern" 422
        zh "格式不符" "值不符合规定的格式。"
        en "Wrong format" "The value does not have the required format."
    NotAllowedValue "not-allowed-value" 422
        zh "取值不允许" "值不在允许的取值之列。"
        en "Value not allowed" "The value is not one of those allowed."
    UnknownField "unknown-field" 422
        zh "未知数据项" "该目录项没有此数据项，参见 GET /v1/datasets/{dataset}。"
        en "Unknown field" "The dataset has no such field; see GET /v1/datasets/{dataset}."
    UnknownPurpose "unknown-purpose" 422
        zh "未知用途" "该目录项不服务于此用途，参见 GET /v1/datasets/{dataset}。"
        en "Unknown purpose" "The dataset does not serve this purpose; see GET /v1/datasets/{dataset}."
    DuplicateItem "duplicate-item" 422
        zh "重复项" "同一数据主体或数据项出现了两次。"
        en "Duplicate item" "The same subject or field is named twice."
    TooManyItems "too-many-items" 422
        zh "数量过多" "一次最多 100 个数据主体、64 个数据项。"
        en "Too many items" "At most 100 subjects and 64 fields in one query."
    TooFewItems "too-few-items" 422
        zh "数量过少" "至少需要一项。"
        en "Too few items" "At least one item is required."
    IdLength "id-length" 422
        zh "标识长度错误" "标识的字符数不符合其标准。"
        en "Identifier length" "The identifier does not have the number of characters its standard requires."
    IdCharacters "id-characters" 422
        zh "标识字符错误" "标识含有其标准不允许的字符；数字须为半角。"
        en "Identifier characters" "The identifier has characters its standard does not allow; digits are ASCII digits."
    IdCheckDigit "id-check-digit" 422
        zh "校验码错误" "标识的校验码不符，多为输入有误。"
        en "Check digit" "The identifier's check digit does not match: most likely a typing error."
    IdBirthDate "id-birth-date" 422
        zh "出生日期无效" "公民身份号码中的出生日期不存在或在将来。"
        en "Birth date" "The birth date within the resident ID does not exist or lies in the future."

    WeakPassword "weak-password" 422
        zh "口令过弱" "该口令过于常见或由账号名构成，请另选。"
        en "Weak password" "It is a password that everybody tries first, or made of the account's name. Choose another."

    // --- one field of a query ----------------------------------------------------------------
    NoRule "no-rule" 403
        zh "无共享依据" "没有规则允许本系统为此用途取得该数据项。"
        en "Nothing permits it" "No rule lets this system have the field for this purpose."
    DeniedByRule "denied-by-rule" 403
        zh "规则禁止" "有规则明确禁止；禁止优先于一切许可。"
        en "Denied by a rule" "A rule denies it; a denial beats every permission."
    GrantRequired "grant-required" 403
        zh "需要授权" "该数据项有条件共享，须先申请并取得授权。"
        en "Grant required" "The field is shared conditionally: apply for a grant first."
    GrantNotValid "grant-not-valid" 403
        zh "授权不在有效期" "授权尚未生效、已过期或已中止。"
        en "Grant not in force" "The grant is not yet, or no longer, in force."
    Withheld "withheld" 403
        zh "不予共享" "该数据项依法不予共享；目录载明依据。"
        en "Withheld" "The field is withheld by law; the catalogue cites it."
    FormNotPermitted "form-not-permitted" 403
        zh "披露形式不允许" "所请求的披露形式超出许可；permitted 给出可用的形式。"
        en "Form not permitted" "The form asked for reveals more than is permitted; `permitted` names what you may ask for."
    PredicateNotPermitted "predicate-not-permitted" 403
        zh "比较条件不允许" "比较的运算符与常数须为已核定者，参见 GET /v1/datasets/{dataset}。"
        en "Comparison not permitted" "Operator and constant must be among those fixed for the field; see GET /v1/datasets/{dataset}."
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_unique() {
        let mut seen = std::collections::HashSet::new();
        for code in Code::ALL {
            let name = code.as_str();
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{name}");
            assert!(seen.insert(name), "{name} twice");
        }
    }

    #[test]
    fn every_code_speaks_both_languages() {
        for code in Code::ALL {
            assert!(!code.title(Lang::Zh).is_ascii(), "{code:?}");
            assert!(code.title(Lang::En).is_ascii() && code.detail(Lang::En).is_ascii(), "{code:?}");
            assert!(!code.detail(Lang::Zh).is_empty(), "{code:?}");
        }
    }
}
