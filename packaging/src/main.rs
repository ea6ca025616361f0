//! `omphalos-packaging DIRECTORY` writes what packages have beside the programs.

use std::env;
use std::path::Path;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let mut arguments = env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        bail!("usage: omphalos-packaging DIRECTORY; packaging/build.sh calls it");
    };
    let directory = Path::new(&directory);
    omphalos_packaging::write(directory)
        .with_context(|| format!("cannot write {}", directory.display()))
}
