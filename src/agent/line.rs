//! `guild-agent/1`: one JSON object a line (CONTRACT section 2).
