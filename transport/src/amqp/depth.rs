//! How many messages wait in a queue.

use lapin::ErrorKind;
use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;

use super::{Broker, DeadQueueError};

/// How many messages wait in `queue` to be delivered; those that a consumer has and did not
/// acknowledge are not among them. `None` when there is no such queue.
///
/// # Errors
/// When the broker cannot be asked.
pub async fn waiting_messages(broker: &Broker, queue: &str) -> Result<Option<u32>, DeadQueueError> {
    let connected = broker.connect().await;
    let link = connected.map_err(|error| DeadQueueError::new(error.to_string()))?;
    let channel = link.connection.create_channel().await?;
    let options =
        QueueDeclareOptions { durable: true, passive: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(queue.into(), options, FieldTable::default()).await;
    let count = match declared {
        Ok(queue) => Some(queue.message_count()),
        Err(error) if is_not_there(&error) => None,
        Err(error) => return Err(error.into()),
    };
    link.connection.close(200, "done".into()).await?;
    Ok(count)
}

fn is_not_there(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(refusal)
        if matches!(refusal.kind(), AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND)))
}
