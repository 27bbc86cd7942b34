//! The towns themselves. Figures are those of ordinary web applications: medians of tens of milliseconds to
//! seconds, spreads of the logarithm of 0.2 to 0.7, failures of a tenth of a percent to five.

use super::Deed::{Lists, Read, Reports, Searches, Writes};
use super::{Fault, Gauge, Ids, Op, Shape, Speech, Town, Worker};

const TIMEOUT: Fault = fault("UpstreamTimeout", "upstream did not answer within {} ms", true, 4.0);
const VALID: Fault = fault("ValidationError", "field {} is not valid", false, 0.4);
const MISSING: Fault = fault("NotFoundError", "no such record: {}", false, 0.5);
const CONFLICT: Fault = fault("VersionConflict", "record {} was changed by somebody else", false, 0.9);
const QUOTA: Fault = fault("QuotaExceeded", "quota of tenant {} is used up", true, 0.3);
const RESET: Fault = fault("ConnectionReset", "connection to {} was reset by peer", true, 1.2);
const PASSWORD: Fault = fault("InvalidCredentials", "login failed: wrong password", false, 1.0);
const DECLINED: Fault = fault("CardDeclined", "issuer declined payment {}", false, 1.1);
const PARSE: Fault = fault("MalformedInput", "cannot read part {} of the upload", false, 0.7);
const REFUSED: Fault = fault("PermissionDenied", "not allowed to open {}", false, 0.4);
const BUSY: Fault = fault("PoolBusy", "no connection free after {} ms", true, 3.0);
const DEADLOCK: Fault = fault("LockTimeout", "gave up waiting for lock {}", true, 5.0);

const fn fault(class: &'static str, says: &'static str, loud: bool, takes: f64) -> Fault {
    Fault { class, says, loud, takes }
}

/// An operation: its name and service, its usual time and spread, weight, failing share, faults, deed.
macro_rules! op {
    ($name:literal, $service:literal, $median_ms:literal, $sigma:literal, $weight:literal, $failing:literal, $faults:expr, $deed:expr) => {
        Op {
            name: $name,
            service: $service,
            median_ms: $median_ms,
            sigma: $sigma,
            weight: $weight,
            failing: $failing,
            faults: &$faults,
            deed: $deed,
        }
    };
}

const fn worker(service: &'static str, component: &'static str, every_s: i64) -> Worker {
    Worker { service, component, every_s }
}

/// A series: its service and name, its unit, usual value and spread, its limit, how it lives.
macro_rules! gauge {
    ($service:literal, $series:literal, $unit:literal, $level:literal, $noise:literal, $limit:literal, $shape:ident) => {
        Gauge {
            service: $service,
            series: $series,
            unit: $unit,
            level: $level,
            noise: $noise,
            limit: $limit,
            shape: Shape::$shape,
        }
    };
}

/// Every town.
pub const TOWNS: &[Town] = &[DESK, SHOP, CLINIC, BANK, FLEET, SCHOOL, PRESS];

const DESK: Town = Town {
    name: "desk",
    held_out: false,
    sign_in: "login",
    per_second: 10.0,
    people: 600,
    skew: 0.7,
    offices: (0.4, 2),
    signs_in: 0.7,
    mistypes: 0.035,
    strangers: 6.0,
    ids: Ids::Email,
    speech: Speech {
        names_errors: true,
        names_categories: true,
        counts_retries: false,
        chatter: 0.15,
        owner: "ownerId",
    },
    ops: &[
        op!("login", "auth", 120.0, 0.3, 0.0, 0.002, [PASSWORD, TIMEOUT], Read),
        op!("get_conversations", "api", 140.0, 0.35, 20.0, 0.006, [TIMEOUT, RESET], Lists("itemCount")),
        op!("get_shared_agents", "api", 62.0, 0.35, 23.0, 0.004, [TIMEOUT, REFUSED], Read),
        op!("load_messages", "api", 86.0, 0.35, 20.0, 0.005, [MISSING, TIMEOUT], Read),
        op!("search_rag", "ai", 240.0, 0.3, 27.0, 0.008, [TIMEOUT, BUSY], Searches("resultCount")),
        op!("gemini_api_call", "ai", 850.0, 0.28, 25.0, 0.015, [QUOTA, TIMEOUT], Read),
        op!("save_settings", "api", 90.0, 0.3, 7.0, 0.03, [VALID, CONFLICT], Writes),
        op!("export_report", "api", 640.0, 0.2, 3.0, 0.01, [TIMEOUT], Reports),
    ],
    workers: &[
        worker("jobs", "thumbnail-worker", 5),
        worker("jobs", "mail-sender", 10),
        worker("ai", "reranker", 5),
        worker("store", "replica", 15),
    ],
    gauges: &[
        gauge!("store", "pool.agents.in_use", "connections", 9.0, 2.0, 40.0, Traffic),
        gauge!("jobs", "mail.queue", "messages", 30.0, 8.0, 5000.0, Steady),
        gauge!("store", "disk.used", "%", 46.0, 0.3, 100.0, Steady),
        gauge!("ai", "heap.used", "MiB", 700.0, 20.0, 2048.0, Saw),
    ],
};

const SHOP: Town = Town {
    name: "shop",
    held_out: false,
    sign_in: "account_login",
    per_second: 24.0,
    people: 6000,
    skew: 0.5,
    offices: (0.1, 12),
    signs_in: 0.2,
    mistypes: 0.05,
    strangers: 40.0,
    ids: Ids::Opaque("cus_"),
    speech: Speech {
        names_errors: true,
        names_categories: false,
        counts_retries: true,
        chatter: 0.3,
        owner: "customerRef",
    },
    ops: &[
        op!("account_login", "accounts", 95.0, 0.35, 0.0, 0.003, [PASSWORD, RESET], Read),
        op!("home_page", "web", 38.0, 0.45, 30.0, 0.001, [TIMEOUT], Read),
        op!("search_products", "catalog", 75.0, 0.55, 24.0, 0.004, [TIMEOUT, PARSE], Searches("hits")),
        op!("product_page", "web", 52.0, 0.45, 30.0, 0.003, [MISSING, TIMEOUT], Read),
        op!("basket_list", "cart", 24.0, 0.4, 9.0, 0.002, [RESET], Lists("count")),
        op!("add_to_cart", "cart", 33.0, 0.4, 8.0, 0.012, [CONFLICT, VALID], Writes),
        op!("checkout", "orders", 210.0, 0.4, 4.0, 0.02, [VALID, CONFLICT, TIMEOUT], Writes),
        op!("payment_authorize", "payments", 930.0, 0.45, 3.4, 0.045, [DECLINED, TIMEOUT], Read),
        op!("invoice_pdf", "orders", 1500.0, 0.3, 0.8, 0.01, [TIMEOUT], Reports),
    ],
    workers: &[
        worker("orders", "order-exporter", 10),
        worker("catalog", "indexer", 5),
        worker("payments", "settlement", 30),
    ],
    gauges: &[
        gauge!("cart", "redis.memory", "MiB", 820.0, 12.0, 2048.0, Saw),
        gauge!("orders", "outbox.depth", "messages", 12.0, 4.0, 2000.0, Traffic),
        gauge!("catalog", "disk.used", "%", 61.0, 0.2, 100.0, Steady),
    ],
};

const CLINIC: Town = Town {
    name: "clinic",
    held_out: false,
    sign_in: "sign_on",
    per_second: 3.2,
    people: 160,
    skew: 0.4,
    offices: (0.85, 4),
    signs_in: 0.6,
    mistypes: 0.05,
    strangers: 1.0,
    ids: Ids::Device("staff-"),
    speech: Speech {
        names_errors: false,
        names_categories: false,
        counts_retries: false,
        chatter: 0.5,
        owner: "recordOwner",
    },
    ops: &[
        op!("sign_on", "identity", 180.0, 0.25, 0.0, 0.004, [PASSWORD, BUSY], Read),
        op!("appointments_list", "desk", 160.0, 0.4, 22.0, 0.004, [BUSY, TIMEOUT], Lists("total")),
        op!("patient_open", "records", 230.0, 0.45, 24.0, 0.006, [REFUSED, MISSING], Read),
        op!("patient_search", "records", 310.0, 0.5, 14.0, 0.006, [TIMEOUT, PARSE], Searches("matches")),
        op!("patient_save", "records", 280.0, 0.35, 13.0, 0.025, [CONFLICT, VALID], Writes),
        op!("lab_results", "records", 190.0, 0.4, 12.0, 0.01, [MISSING, TIMEOUT], Read),
        op!("image_fetch", "imaging", 2400.0, 0.6, 6.0, 0.02, [TIMEOUT, RESET], Read),
        op!("billing_export", "desk", 6200.0, 0.35, 0.8, 0.03, [DEADLOCK], Reports),
    ],
    workers: &[
        worker("imaging", "dicom-gateway", 20),
        worker("records", "hl7-feed", 15),
        worker("desk", "printer-spool", 30),
    ],
    gauges: &[
        gauge!("imaging", "archive.used", "%", 71.0, 0.2, 100.0, Steady),
        gauge!("records", "hl7.backlog", "messages", 18.0, 6.0, 4000.0, Traffic),
    ],
};

const BANK: Town = Town {
    name: "bank",
    held_out: false,
    sign_in: "authenticate",
    per_second: 12.0,
    people: 3500,
    skew: 0.4,
    offices: (0.25, 8),
    signs_in: 0.9,
    mistypes: 0.07,
    strangers: 25.0,
    ids: Ids::Number,
    speech: Speech {
        names_errors: true,
        names_categories: true,
        counts_retries: false,
        chatter: 0.2,
        owner: "accountId",
    },
    ops: &[
        op!("authenticate", "gateway", 210.0, 0.3, 0.0, 0.005, [PASSWORD, TIMEOUT], Read),
        op!("balance", "core", 70.0, 0.3, 34.0, 0.002, [TIMEOUT], Read),
        op!("movements_list", "core", 150.0, 0.4, 24.0, 0.003, [TIMEOUT, DEADLOCK], Lists("itemCount")),
        op!("movements_search", "core", 260.0, 0.5, 9.0, 0.005, [PARSE, TIMEOUT], Searches("resultCount")),
        op!("transfer_create", "payments", 330.0, 0.35, 8.0, 0.03, [VALID, CONFLICT, QUOTA], Writes),
        op!("payee_add", "payments", 180.0, 0.3, 3.0, 0.04, [VALID], Writes),
        op!("card_list", "cards", 90.0, 0.35, 12.0, 0.002, [RESET], Read),
        op!("kyc_check", "kyc", 1300.0, 0.5, 2.5, 0.025, [TIMEOUT, QUOTA], Read),
        op!("statement_pdf", "core", 1900.0, 0.3, 1.5, 0.01, [TIMEOUT], Reports),
    ],
    workers: &[
        worker("payments", "sepa-batcher", 15),
        worker("core", "ledger-replica", 5),
        worker("kyc", "watchlist-sync", 60),
    ],
    gauges: &[
        gauge!("core", "connections.used", "connections", 34.0, 4.0, 120.0, Traffic),
        gauge!("payments", "sepa.backlog", "payments", 40.0, 9.0, 10_000.0, Steady),
        gauge!("core", "wal.disk", "%", 38.0, 0.3, 100.0, Steady),
    ],
};

const FLEET: Town = Town {
    name: "fleet",
    held_out: true,
    sign_in: "device_auth",
    per_second: 28.0,
    people: 2400,
    skew: 0.2,
    offices: (0.6, 30),
    signs_in: 0.15,
    mistypes: 0.01,
    strangers: 60.0,
    ids: Ids::Device("dev-"),
    speech: Speech {
        names_errors: false,
        names_categories: false,
        counts_retries: true,
        chatter: 0.1,
        owner: "deviceId",
    },
    ops: &[
        op!("device_auth", "broker", 45.0, 0.4, 0.0, 0.004, [PASSWORD, RESET], Read),
        op!("telemetry_push", "broker", 18.0, 0.5, 60.0, 0.003, [RESET, PARSE], Writes),
        op!("config_pull", "control", 40.0, 0.4, 14.0, 0.002, [TIMEOUT], Read),
        op!("command_list", "control", 28.0, 0.4, 12.0, 0.002, [RESET], Lists("count")),
        op!("geo_lookup", "geo", 120.0, 0.6, 8.0, 0.012, [TIMEOUT, QUOTA], Searches("results")),
        op!("alarm_raise", "control", 65.0, 0.35, 3.0, 0.006, [CONFLICT], Writes),
        op!("firmware_image", "control", 3800.0, 0.5, 0.9, 0.02, [RESET, TIMEOUT], Reports),
    ],
    workers: &[worker("broker", "mqtt-bridge", 5), worker("geo", "tile-cache", 10), worker("control", "rollout", 20)],
    gauges: &[
        gauge!("broker", "sessions.open", "sessions", 1900.0, 60.0, 5000.0, Traffic),
        gauge!("broker", "spool.disk", "%", 33.0, 0.3, 100.0, Steady),
        gauge!("geo", "heap.used", "MiB", 410.0, 15.0, 1024.0, Saw),
    ],
};

const SCHOOL: Town = Town {
    name: "school",
    held_out: true,
    sign_in: "login",
    per_second: 6.0,
    people: 1100,
    skew: 0.3,
    offices: (0.7, 3),
    signs_in: 0.8,
    mistypes: 0.06,
    strangers: 4.0,
    ids: Ids::Email,
    speech: Speech {
        names_errors: true,
        names_categories: false,
        counts_retries: false,
        chatter: 0.25,
        owner: "userRef",
    },
    ops: &[
        op!("login", "portal", 160.0, 0.3, 0.0, 0.003, [PASSWORD, BUSY], Read),
        op!("lesson_open", "lms", 130.0, 0.4, 30.0, 0.004, [MISSING, TIMEOUT], Read),
        op!("work_list", "lms", 110.0, 0.4, 20.0, 0.003, [BUSY], Lists("documentCount")),
        op!("library_search", "library", 420.0, 0.55, 10.0, 0.008, [TIMEOUT], Searches("resultCount")),
        op!("quiz_submit", "lms", 240.0, 0.4, 14.0, 0.02, [VALID, CONFLICT], Writes),
        op!("upload_work", "files", 1100.0, 0.7, 6.0, 0.035, [PARSE, QUOTA], Writes),
        op!("video_token", "media", 75.0, 0.3, 16.0, 0.006, [REFUSED, TIMEOUT], Read),
        op!("grades_export", "lms", 5200.0, 0.4, 0.6, 0.02, [DEADLOCK], Reports),
    ],
    workers: &[worker("lms", "grader", 10), worker("media", "transcoder", 15), worker("files", "virus-scan", 20)],
    gauges: &[
        gauge!("files", "store.used", "%", 57.0, 0.25, 100.0, Steady),
        gauge!("media", "transcode.queue", "videos", 9.0, 3.0, 600.0, Traffic),
    ],
};

const PRESS: Town = Town {
    name: "press",
    held_out: true,
    sign_in: "sign_in",
    per_second: 18.0,
    people: 9000,
    skew: 0.6,
    offices: (0.15, 20),
    signs_in: 0.12,
    mistypes: 0.05,
    strangers: 50.0,
    ids: Ids::Opaque("rd-"),
    speech: Speech {
        names_errors: false,
        names_categories: true,
        counts_retries: false,
        chatter: 0.4,
        owner: "readerId",
    },
    ops: &[
        op!("sign_in", "members", 140.0, 0.35, 0.0, 0.004, [PASSWORD, TIMEOUT], Read),
        op!("article_page", "front", 44.0, 0.5, 55.0, 0.002, [MISSING, TIMEOUT], Read),
        op!("feed_list", "front", 70.0, 0.45, 22.0, 0.002, [TIMEOUT], Lists("items")),
        op!("archive_search", "archive", 390.0, 0.6, 6.0, 0.01, [TIMEOUT, PARSE], Searches("hits")),
        op!("paywall_check", "members", 30.0, 0.35, 18.0, 0.004, [REFUSED, RESET], Read),
        op!("comment_post", "comments", 95.0, 0.4, 4.0, 0.05, [VALID, REFUSED], Writes),
        op!("subscribe", "billing", 760.0, 0.45, 1.5, 0.04, [DECLINED, VALID], Writes),
        op!("edition_pdf", "front", 2600.0, 0.35, 0.9, 0.01, [TIMEOUT], Reports),
    ],
    workers: &[
        worker("comments", "moderation", 10),
        worker("front", "cache-warmer", 30),
        worker("billing", "dunning", 45),
    ],
    gauges: &[
        gauge!("front", "cache.entries", "entries", 52_000.0, 900.0, 200_000.0, Saw),
        gauge!("comments", "review.queue", "comments", 22.0, 6.0, 3000.0, Traffic),
        gauge!("archive", "index.disk", "%", 64.0, 0.2, 100.0, Steady),
    ],
};
