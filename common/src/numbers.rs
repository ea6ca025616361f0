//! Conversions of numbers that lose nothing, whatever their width.

/// `value`, but at most `most`: how much of what there is has room.
pub fn at_most(value: u64, most: usize) -> usize {
    usize::try_from(value).map_or(most, |value| value.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_more_than_the_most_is_the_most() {
        assert_eq!([0, 6, 7, u64::MAX].map(|value| at_most(value, 7)), [0, 6, 7, 7]);
        assert_eq!(at_most(u64::MAX, 0), 0);
    }
}
