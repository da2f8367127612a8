//! The dialect `open-webui`: frames that the real server sent, and stories on a simulated one.

mod frames;
mod server;
mod silent;
mod stage;
mod told;
mod writing;
