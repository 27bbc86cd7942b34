//! What keys mean: one table of the names that loggers use for the same thing.
//!
//! Names are compared without case, `_`, `-`, `.` and blanks; nested names are joined (`http.status`
//! and `{"http":{"status"` are one). The order inside a field is the preference: the first name wins
//! over the later ones. Names of products do not stand here, only names of things.

use std::sync::LazyLock;

use rustc_hash::FxHashMap;

/// What a value is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Time,
    Level,
    LevelNumber,
    Severity,
    Category,
    Message,
    ErrorText,
    Event,
    Service,
    Host,
    Operation,
    Millis,
    Seconds,
    Micros,
    Nanos,
    Success,
    Outcome,
    ErrorType,
    Stack,
    User,
    Session,
    Conversation,
    Address,
    /// Maybe an address.
    Whence,
    Retry,
    Attempt,
    Component,
    Health,
    Login,
    Metric,
    Value,
    Unit,
    Suggested,
    AutoFix,
    Affected,
    Trace,
    Status,
    Method,
    Path,
}

/// Number of fields.
pub(super) const FIELDS: usize = Field::Path as usize + 1;

const NAMES: &[(Field, &str)] = &[
    (
        Field::Time,
        "timestamp @timestamp time ts eventtime datetime asctime date timeunixnano observedtimeunixnano timestampseconds t when",
    ),
    (Field::Level, "level loglevel levelname lvl severitytext levelvalue"),
    (Field::LevelNumber, "severitynumber"),
    (Field::Severity, "severity stellaseverity sev"),
    (Field::Category, "category stellacategory"),
    (Field::Message, "message msg textpayload body shortmessage fullmessage logmessage log text description"),
    (Field::ErrorText, "errormessage errmessage errmsg errormsg exceptionmessage error err exception failurereason"),
    (Field::Event, "event eventname eventaction eventtype metricname action"),
    (
        Field::Service,
        "service servicename resourceservicename app appname application applicationname program programname syslogidentifier systemdunit name logger loggername channel",
    ),
    (Field::Host, "host hostname hostip node nodename computer machine"),
    (
        Field::Operation,
        "operation operationname op rpcmethod grpcmethod spanname span transaction transactionname endpoint handler route task",
    ),
    (
        Field::Millis,
        "durationms elapsedms latencyms responsetimems timetakenms tookms elapsedmilliseconds executiontimems duration elapsed latency responsetime elapsedtime took timetaken executiontime requesttime processingtime",
    ),
    (
        Field::Seconds,
        "durations durationsec durationseconds elapsedseconds elapsedsec latencyseconds elapseds requesttimeseconds",
    ),
    (Field::Micros, "durationus durationmicros latencyus elapsedus"),
    (Field::Nanos, "durationns durationnanos latencyns elapsedns eventduration"),
    (Field::Success, "success succeeded ok"),
    (Field::Outcome, "outcome eventoutcome result loginresult authresult"),
    (
        Field::ErrorType,
        "errortype errtype errorclass errorname errname exceptiontype exceptionclass exceptionname errorcode errcode errorkind",
    ),
    (
        Field::Stack,
        "stack stacktrace errorstack errstack errorstacktrace exceptionstacktrace exceptionstack backtrace traceback excinfo",
    ),
    (
        Field::User,
        "userid user uid username userlogin useremail targetusername accountname enduserid useridentityusername account accountid login logname principal email loginname clientusername userprincipalname sub",
    ),
    (Field::Session, "sessionid session sid"),
    (Field::Conversation, "conversationid conversation threadid chatid"),
    (
        Field::Address,
        "xforwardedfor forwardedfor reqheadersxforwardedfor xrealip remoteaddr remoteaddress remoteip clientip clientaddress clientaddr client realip sourceipaddress sourceip sourceaddress srcip src requestip visitorip ipaddress ip rhost rip peer peerip peeraddr netpeerip networkpeeraddress addrremote addr callerip originip userip accountip ipaddr remip oip cip sourceips sourceipaddresses clientips ips ipstring sourcenetworkaddress remoteipaddress clientipaddress visitoripaddress forwardedip vieweraddress remotehost",
    ),
    (Field::Whence, "remote from origin address clienthost"),
    (Field::Retry, "retrycount retries retry retryattempt retrynumber"),
    (Field::Attempt, "attempt attemptnumber tries"),
    (Field::Component, "component subsystem module"),
    (Field::Health, "health healthstatus componenthealth"),
    (Field::Login, "stellalogin"),
    (Field::Metric, "metric metrickey"),
    (Field::Value, "value metricvalue"),
    (Field::Unit, "unit metricunit unitofmeasure"),
    (Field::Suggested, "suggestedactions"),
    (Field::AutoFix, "autofixavailable"),
    (Field::Affected, "affectedusers"),
    (Field::Trace, "traceid trace logginggoogleapiscom/trace dtraceid xtraceid correlationid requestid reqid"),
    (
        Field::Status,
        "status statuscode httpstatus httpstatuscode httpresponsestatuscode responsestatus responsecode httpcode downstreamstatus code",
    ),
    (Field::Method, "httpmethod requestmethod httprequestmethod method verb"),
    (Field::Path, "httppath urlpath requestpath requesturi requesturl httptarget path url uri pathinfo location"),
];

/// Containers whose members mean what they would mean outside.
const TRANSPARENT: &str = "metadata meta context ctx extra fields attributes attrs data details jsonpayload payload properties \
     http httprequest httpresponse request response req res mdc labels params args";

static TABLE: LazyLock<FxHashMap<&'static str, (Field, u32)>> = LazyLock::new(|| {
    let mut table = FxHashMap::default();
    for (field, names) in NAMES {
        for (rank, name) in (0_u32..).zip(names.split(' ')) {
            table.entry(name).or_insert((*field, rank));
        }
    }
    table
});

/// A name as the table writes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Name {
    bytes: [u8; Self::LONGEST],
    len: usize,
}

impl Name {
    /// Longer names mean nothing to us.
    const LONGEST: usize = 48;

    pub(super) const EMPTY: Self = Self { bytes: [0; Self::LONGEST], len: 0 };

    /// This name with another joined to it; None: too long, or not ASCII.
    pub(super) fn join(&self, key: &str) -> Option<Self> {
        let mut joined = *self;
        for byte in key.bytes() {
            match byte {
                b'_' | b'-' | b'.' | b' ' => {}
                byte if byte.is_ascii() && joined.len < Self::LONGEST => {
                    joined.bytes[joined.len] = byte.to_ascii_lowercase();
                    joined.len += 1;
                }
                _ => return None,
            }
        }
        Some(joined)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What it means, and how much others are preferred to it.
    pub(super) fn field(&self) -> Option<(Field, u32)> {
        TABLE.get(self.as_str()).copied()
    }

    /// True for a container that adds no meaning.
    pub(super) fn is_transparent(&self) -> bool {
        TRANSPARENT.split(' ').any(|name| name == self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(key: &str) -> Option<Field> {
        Name::EMPTY.join(key).and_then(|name| name.field()).map(|(field, _)| field)
    }

    #[test]
    fn a_name_means_the_same_in_every_spelling() {
        for key in ["userId", "user_id", "USER-ID", "user.id", "uid"] {
            assert_eq!(field(key), Some(Field::User), "{key}");
        }
        assert_eq!(field("http.status_code"), Some(Field::Status));
        assert_eq!(field("ünknown"), None);
    }

    #[test]
    fn no_name_stands_twice_in_the_table() {
        let all: usize = NAMES.iter().map(|(_, names)| names.split(' ').count()).sum();
        assert_eq!(TABLE.len(), all);
    }
}
