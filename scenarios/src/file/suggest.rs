//! "Did you mean": the known word nearest to what was typed, and lists of words short enough to read.

/// Longest word compared; nobody mistypes more.
const MAX_LENGTH: usize = 300;
/// Most words of a list that are printed.
const MAX_LISTED: usize = 30;

/// The word of `known` that `typed` was probably meant to be: at most one letter in three differs.
pub(super) fn closest<'k>(typed: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let typed: String = typed.chars().take(MAX_LENGTH).collect();
    let near = known.into_iter().map(|word| (strsim::osa_distance(&typed, word), word));
    let (changes, word) = near.min_by_key(|(changes, _)| *changes)?;
    (changes <= word.chars().count().min(typed.chars().count()) / 3).then_some(word)
}

/// `a, b, c`, cut where it would fill the screen.
pub(super) fn list<'k>(words: impl IntoIterator<Item = &'k str>) -> String {
    let words: Vec<&str> = words.into_iter().collect();
    let mut text = words.iter().take(MAX_LISTED).copied().collect::<Vec<_>>().join(", ");
    if words.len() > MAX_LISTED {
        text += &format!(" and {} more", words.len() - MAX_LISTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_another_word_is_not() {
        let known = ["desired", "strategy", "name"];
        assert_eq!(closest("desird", known), Some("desired"));
        assert_eq!(closest("stratgey", known), Some("strategy"));
        assert_eq!(closest("nmae", known), Some("name"));
        assert_eq!(closest("replicas", known), None);
        assert_eq!(closest("", known), None);
    }

    #[test]
    fn a_long_list_is_cut() {
        let words: Vec<String> = (0..35).map(|n| n.to_string()).collect();
        assert!(list(words.iter().map(String::as_str)).ends_with("28, 29 and 5 more"));
    }
}
