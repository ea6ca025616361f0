//! `omphalos-indexer`: consumes batches from RabbitMQ and bulk-writes them to Elasticsearch.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    omphalos_indexer::cli::main()
}
