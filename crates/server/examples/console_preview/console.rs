//! The console's pages and files, without the handlers that need a server around them.

#[path = "../../src/http/console/assets.rs"]
pub mod assets;
#[path = "../../src/http/console/view/mod.rs"]
pub mod view;
