//! `HyperLogLog`: registers with the longest run of zeros of the hashes that fell to each, and
//! Ertl's estimate, which needs no tables of corrections and holds from the first key on ("New
//! cardinality estimation algorithms for `HyperLogLog` sketches", 2017, algorithm 6).

/// How many different ones `registers` have seen, whose largest value is `most`.
pub fn estimate(registers: &[u8], most: u8) -> u64 {
    let mut counts = [0_u32; 66];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(*register)) {
            *count += 1;
        }
    }
    let count = |value: u8| f64::from(counts.get(usize::from(value)).copied().unwrap_or(0));
    let size = f64::from(counts.iter().sum::<u32>());
    let mut z = size * tau(1.0 - count(most) / size);
    for value in (1..most).rev() {
        z = 0.5 * (z + count(value));
    }
    z += size * sigma(count(0) / size);
    let estimate = size * size / (2.0 * std::f64::consts::LN_2 * z);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    let whole = estimate.round() as u64;
    whole
}

/// The standard error of so many registers, relative.
#[expect(clippy::cast_precision_loss, reason = "a few thousand")]
pub fn error(size: usize) -> f64 {
    1.04 / (size as f64).sqrt()
}

fn sigma(mut x: f64) -> f64 {
    // With all registers empty nothing was seen: the estimate becomes 0.
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x).powi(2) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}
