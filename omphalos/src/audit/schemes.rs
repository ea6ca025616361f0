//! With what the ids of a file were made, where no checkpoint says so: with what most of its first
//! lines are found.

use std::cmp::Reverse;

use omphalos_common::config::Size;
use omphalos_common::ids::IdScheme;

use super::asking::Asker;
use super::portion::Portion;
use super::target::Target;

/// So many bytes of documents at the beginning of a file are looked at.
const HEAD_BYTES: Size = Size(64 * 1024);

/// The ways in which the ids of a file may have been made, that first with which most of its first
/// lines are found; in the order of `target` where none are.
///
/// # Errors
/// When the file cannot be read, or Elasticsearch be asked.
pub async fn likeliest_first(target: &Target, asker: &Asker) -> anyhow::Result<Vec<IdScheme>> {
    let mut counted = Vec::new();
    if target.ids.len() > 1 {
        for ids in &target.ids {
            let (found, documents) = found_of_head(target, *ids, asker).await?;
            counted.push((Reverse(found), *ids));
            if found == documents {
                break;
            }
        }
    }
    // Stable: those that were not looked at, or of which nothing was found, keep their order.
    counted.sort_by_key(|(found, _)| *found);
    let mut order: Vec<IdScheme> = counted.into_iter().map(|(_, ids)| ids).collect();
    for ids in &target.ids {
        if !order.contains(ids) {
            order.push(*ids);
        }
    }
    Ok(order)
}

/// How many documents of the first lines are where they belong, with ids that are made so; and how
/// many there are.
async fn found_of_head(
    target: &Target,
    ids: IdScheme,
    asker: &Asker,
) -> anyhow::Result<(usize, usize)> {
    let (_reading, mut portions) = target.quietly().read(ids, HEAD_BYTES, Portion::of_batch)?;
    let Some(head) = portions.recv().await.transpose()? else { return Ok((0, 0)) };
    let found = asker.look_where_they_belong(&head.dataset, &head.documents).await?;
    Ok((found.iter().filter(|is_there| **is_there).count(), head.documents.len()))
}
