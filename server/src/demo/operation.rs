//! What the guarded application can be asked to do, and what that usually costs.
//!
//! The names are those that the fixed limits of detection are written for. The costs are the
//! application's own: nothing here knows a limit.

/// A bulkhead: each repository of the application has its own connections to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolName {
    /// Conversations and their messages.
    Conversations,
    /// Agents and who shares them.
    Agents,
    /// Search chunks.
    Chunks,
}

impl PoolName {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Conversations, Self::Agents, Self::Chunks];

    /// As the application writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Agents => "agents",
            Self::Chunks => "chunks",
        }
    }

    /// The component that speaks of this pool's health.
    pub fn component(self) -> &'static str {
        match self {
            Self::Conversations => "db-pool-conversations",
            Self::Agents => "db-pool-agents",
            Self::Chunks => "db-pool-chunks",
        }
    }

    /// The series of connections in use.
    pub fn metric(self) -> &'static str {
        match self {
            Self::Conversations => "pool.conversations.in_use",
            Self::Agents => "pool.agents.in_use",
            Self::Chunks => "pool.chunks.in_use",
        }
    }
}

/// Something the application does for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Signs somebody in.
    Login,
    /// Lists a person's conversations.
    GetConversations,
    /// Lists the agents that others share with a person.
    GetSharedAgents,
    /// Opens a conversation.
    LoadMessages,
    /// Finds passages for a question.
    SearchRag,
    /// Asks the language model, outside.
    GeminiApiCall,
    /// Keeps what a form says.
    SaveSettings,
    /// Writes a report; slow by nature.
    ExportReport,
    /// A pool looks whether it still gives a connection.
    Ping(PoolName),
}

/// Usual cost of an operation: medians in milliseconds and the spread of their logarithms.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Time that holds a database connection; 0: none is needed.
    pub query_ms: f64,
    /// Time after it.
    pub rest_ms: f64,
    /// Spread.
    pub sigma: f64,
}

impl Operation {
    /// As the application writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::GetConversations => "get_conversations",
            Self::GetSharedAgents => "get_shared_agents",
            Self::LoadMessages => "load_messages",
            Self::SearchRag => "search_rag",
            Self::GeminiApiCall => "gemini_api_call",
            Self::SaveSettings => "save_settings",
            Self::ExportReport => "export_report",
            Self::Ping(_) => "ping",
        }
    }

    /// Which service does it.
    pub fn service(self) -> &'static str {
        match self {
            Self::Login => "auth",
            Self::SearchRag | Self::GeminiApiCall => "ai",
            Self::Ping(_) => "store",
            _ => "api",
        }
    }

    /// Whose connections it needs.
    pub fn pool(self) -> Option<PoolName> {
        match self {
            Self::GetConversations | Self::LoadMessages => Some(PoolName::Conversations),
            Self::GetSharedAgents => Some(PoolName::Agents),
            Self::SearchRag => Some(PoolName::Chunks),
            Self::Ping(pool) => Some(pool),
            _ => None,
        }
    }

    /// Which collection its query reads.
    pub fn collection(self) -> &'static str {
        match self {
            Self::GetSharedAgents => "agent_shares",
            Self::LoadMessages => "messages",
            Self::SearchRag => "document_chunks",
            _ => "conversations",
        }
    }

    /// What it usually costs.
    pub fn cost(self) -> Cost {
        let (query_ms, rest_ms, sigma) = match self {
            Self::Login => (0.0, 120.0, 0.30),
            Self::GetConversations => (48.0, 90.0, 0.35),
            Self::GetSharedAgents => (36.0, 26.0, 0.35),
            Self::LoadMessages => (40.0, 46.0, 0.35),
            Self::SearchRag => (52.0, 190.0, 0.30),
            Self::GeminiApiCall => (0.0, 850.0, 0.28),
            Self::SaveSettings => (0.0, 90.0, 0.30),
            Self::ExportReport => (0.0, 640.0, 0.14),
            Self::Ping(_) => (4.0, 0.0, 0.20),
        };
        Cost { query_ms, rest_ms, sigma }
    }
}
