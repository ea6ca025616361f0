//! What servers write of themselves: Redis, `RabbitMQ`, Elasticsearch and `OpenSearch`.

mod elasticsearch;
mod rabbitmq;
mod redis;
#[cfg(test)]
mod tests;

pub use elasticsearch::{ElasticsearchParser, begins as begins_elasticsearch};
pub use rabbitmq::{RabbitmqParser, begins as begins_rabbitmq};
pub use redis::RedisParser;
