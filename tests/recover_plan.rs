//! The planning half of recovery: which mailbox, which folder, which item, over real stores in memory. Every plan is made twice,
//! once by reading the target's rows and once by looking its keys up, must add up, and leaves nothing to do when it was run.

#![allow(clippy::unwrap_used)] // a test program

mod recover_support;
mod store_support;
mod support;

#[path = "recover_plan/damage.rs"]
mod damage;
#[path = "recover_plan/folders.rs"]
mod folders;
#[path = "recover_plan/items.rs"]
mod items;
#[path = "recover_plan/mailboxes.rs"]
mod mailboxes;
#[path = "recover_plan/model.rs"]
mod model;
#[path = "recover_plan/world.rs"]
mod world;
