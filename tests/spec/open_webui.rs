//! The dialect `open-webui`: frames that the real server sent, and stories on a simulated one.

mod accounts;
mod frames;
mod server;
mod silent;
mod stage;
mod threads;
mod told;
mod writing;
