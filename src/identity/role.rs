//! Roles: what people and systems may do, beside which data they get.
//!
//! Invariant: the three duties of the operator exclude each other (三员分立; GB/T 39477-2020):
//! whoever administers does not grant, and whoever does either does not audit.

use serde::{Deserialize, Serialize};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// 经办人: writes applications.
    Applicant,
    /// 科室负责人
    SectionHead,
    /// 共享工作机构负责人: consents, refuses, accepts for the department.
    SharingLead,
    /// 分管领导
    Leader,
    /// 保密员: reads the records of its own department.
    ConfidentialityOfficer,
    /// 系统管理员: departments, systems, accounts; grants no role.
    SystemAdmin,
    /// 安全管理员: grants roles, suspends, has people erased from the log; does not read it.
    SecurityAdmin,
    /// 审计员: reads and searches the whole log.
    Auditor,
    /// 专班联络员: sees what is late, consents to extensions.
    Coordinator,
    /// 领导小组
    LeadingGroup,
    /// The citizens' service, a system: asks who looked at a person's data, on that person's behalf.
    CitizenService,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 11] = [
        Role::Applicant,
        Role::SectionHead,
        Role::SharingLead,
        Role::Leader,
        Role::ConfidentialityOfficer,
        Role::SystemAdmin,
        Role::SecurityAdmin,
        Role::Auditor,
        Role::Coordinator,
        Role::LeadingGroup,
        Role::CitizenService,
    ];

    /// The duties that nobody may hold two of.
    pub const SEPARATED: [Role; 3] = [Role::SystemAdmin, Role::SecurityAdmin, Role::Auditor];

    /// The name in files, policies and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Applicant => "applicant",
            Role::SectionHead => "section_head",
            Role::SharingLead => "sharing_lead",
            Role::Leader => "leader",
            Role::ConfidentialityOfficer => "confidentiality_officer",
            Role::SystemAdmin => "system_admin",
            Role::SecurityAdmin => "security_admin",
            Role::Auditor => "auditor",
            Role::Coordinator => "coordinator",
            Role::LeadingGroup => "leading_group",
            Role::CitizenService => "citizen_service",
        }
    }

    /// Parses the name.
    pub fn parse(name: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

/// Two roles of one holder that exclude each other.
pub fn conflict(roles: &[Role]) -> Option<(Role, Role)> {
    let mut held = Role::SEPARATED.into_iter().filter(|duty| roles.contains(duty));
    held.next().zip(held.next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_the_three_duties_one_may_be_held() {
        assert_eq!(conflict(&[Role::Applicant, Role::Auditor, Role::Leader]), None);
        assert_eq!(conflict(&[Role::Auditor, Role::SystemAdmin]), Some((Role::SystemAdmin, Role::Auditor)));
    }

    #[test]
    fn every_role_is_known_by_its_name() {
        assert!(Role::ALL.iter().all(|role| Role::parse(role.as_str()) == Some(*role)));
    }
}
