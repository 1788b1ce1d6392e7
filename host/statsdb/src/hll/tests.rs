use super::*;

fn decimal(range: std::ops::Range<u32>) -> impl Iterator<Item = u64> {
    range.map(|n| hash(n.to_string().as_bytes()))
}

fn shared(bits: u8, values: impl IntoIterator<Item = String>) -> Registers {
    let mut registers = Registers::new(Ranks::Shared, bits);
    values.into_iter().for_each(|value| _ = registers.insert(hash(value.as_bytes())));
    registers
}

fn hex(registers: &Registers) -> String {
    registers.values().iter().fold(String::new(), |text, rank| text + &format!("{rank:02x}"))
}

#[test]
fn shared_registers_match_the_reference() {
    let registers = shared(6, ["foo".into()]);
    assert_eq!(registers.values()[53], 1);
    assert_eq!(registers.values().iter().filter(|rank| **rank != 0).count(), 1);
    let registers = shared(6, ["foo".into(), "bar".into()]);
    assert_eq!((registers.values()[53], registers.values()[39]), (1, 2));
    assert_eq!(registers.values().iter().filter(|rank| **rank != 0).count(), 2);
    let registers = shared(4, (0..100).map(|n| n.to_string()));
    assert_eq!(hex(&registers), "01040301020402030604080204070607");
    assert_eq!(hex(&shared(4, (0..20).map(|n| format!("a{n}")))), "01030301040102030103000101000100");
    assert_eq!(hex(&shared(4, (0..20).map(|n| format!("b{n}")))), "03040403000003030105030002020002");
}

#[test]
fn small_unions_are_exact() {
    for n in [0, 1, 3, 17, 256, 1000] {
        let mut union = Union::new(11);
        union.add(decimal(0..n));
        union.add(decimal(0..n / 2));
        assert_eq!(union.count(), n as i32);
    }
    // However often the same few values come.
    let mut union = Union::new(11);
    (0..100).for_each(|_| union.add(decimal(0..200)));
    assert_eq!(union.count(), 200);
}

/// Relative error of the estimate.
fn error(registers: &Registers, n: u32) -> f64 {
    (registers.estimate() - f64::from(n)).abs() / f64::from(n)
}

#[test]
fn dense_counts_at_14_bits_are_within_2_percent() {
    let mut registers = Registers::new(Ranks::Own, 14);
    let mut done = 0;
    for n in [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000] {
        decimal(done..n).for_each(|value| _ = registers.insert(value));
        done = n;
        assert!(error(&registers, n) < 0.02, "{n}: {}", registers.estimate());
    }
}

#[test]
fn dense_counts_hold_for_other_values_too() {
    for base in (1..20u32).map(|n| n << 24) {
        let mut registers = Registers::new(Ranks::Own, 14);
        decimal(base..base + 30_000).for_each(|value| _ = registers.insert(value));
        assert!(error(&registers, 30_000) < 0.03, "{base}: {}", registers.estimate());
    }
}

#[test]
fn folding_counts_as_if_there_had_been_fewer_registers() {
    let (mut many, mut few) = (Registers::new(Ranks::Own, 14), Registers::new(Ranks::Own, 6));
    for value in decimal(0..50_000) {
        many.insert(value);
        few.insert(value);
    }
    assert_eq!(many.folded(6, Ranks::Own), few);
    assert!(many.folded(6, Ranks::Shared).values().iter().all(|&rank| rank <= 27));
    let mut union = Registers::new(Ranks::Own, 6);
    union.merge(&many);
    assert_eq!(union, few);
    let mut union = many;
    union.merge(&few);
    assert_eq!(union, few);
}

#[test]
fn merging_takes_the_highest_rank() {
    let (mut all, mut left, mut right) =
        (Registers::new(Ranks::Own, 11), Registers::new(Ranks::Own, 11), Registers::new(Ranks::Own, 11));
    decimal(0..5000).for_each(|value| _ = all.insert(value));
    decimal(0..3000).for_each(|value| _ = left.insert(value));
    decimal(2000..5000).for_each(|value| _ = right.insert(value));
    left.merge(&right);
    assert_eq!(left, all);
}

#[test]
fn extreme_registers_have_an_estimate() {
    for bits in [4, 6, 11, 18] {
        assert!(Registers::new(Ranks::Own, bits).estimate() < 0.5);
        let full = Registers::from_wire(bits, &vec![255; 1 << bits]);
        let mut union = Union::new(11);
        union.merge(&full);
        assert_eq!(union.count(), i32::MAX);
    }
}
