// SPDX-License-Identifier: Apache-2.0
// panics SECONDS: until it has used so much CPU time or twelve times as much has gone by: what Rust programs' stacks are made of: panics that are caught, with destructors on
// the way, iterators, closures, sorting, hash maps, trait objects, threads. Prints how many panics were
// caught.
use std::collections::{BTreeMap, HashMap};
use std::panic;
use std::time::{Duration, Instant};

struct Guard(u64);

impl Drop for Guard {
    fn drop(&mut self) {
        hidden(burn(self.0));
    }
}

// Not to be seen through.
fn hidden(n: u64) -> u64 {
    unsafe { std::ptr::read_volatile(&n) }
}

#[inline(never)]
fn burn(n: u64) -> u64 {
    (0..n * 400).fold(n, |h, i| (h ^ hidden(i)).wrapping_mul(0x100000001b3))
}

extern "C" {
    fn clock() -> std::os::raw::c_long; // in microseconds
}

fn used() -> f64 {
    unsafe { clock() as f64 / 1e6 }
}

trait Stage {
    fn run(&self, seed: u64, depth: u32) -> u64;
}

struct Sorts;
struct Counts;
struct Recurses(Vec<Box<dyn Stage>>);

impl Stage for Sorts {
    fn run(&self, seed: u64, _: u32) -> u64 {
        let _guard = Guard(1);
        let mut words: Vec<String> =
            (0..80).map(|i| ((seed + i) * 2654435761 % 977).to_string()).collect();
        words.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| b.cmp(a)));
        words.sort_unstable_by_key(|w| w.bytes().map(u64::from).sum::<u64>());
        words.len() as u64
    }
}

impl Stage for Counts {
    fn run(&self, seed: u64, depth: u32) -> u64 {
        let mut counts: HashMap<String, u64> = HashMap::new();
        let mut tree = BTreeMap::new();
        for i in 0..60 {
            *counts.entry(format!("key {}", (seed + i) % 17)).or_default() += i;
            tree.insert((seed * i) % 31, vec![i; depth as usize + 1]);
        }
        if seed % 4 == 0 {
            panic!("{} of {}", seed, counts.len());
        }
        tree.values().flatten().chain(counts.values()).filter(|n| **n % 2 == 0).sum()
    }
}

impl Stage for Recurses {
    fn run(&self, seed: u64, depth: u32) -> u64 {
        let _guard = Guard(1);
        if depth == 0 {
            return burn(2);
        }
        self.0.iter().map(|s| s.run(seed + u64::from(depth), depth - 1)).sum::<u64>()
            + self.run(seed, depth - 1)
    }
}

fn work(seconds: f64, end: Instant, mut seed: u64) -> u64 {
    let stages = Recurses(vec![Box::new(Sorts), Box::new(Counts), Box::new(Sorts)]);
    let mut caught = 0;
    while used() < seconds && Instant::now() < end {
        let depth = (seed % 5) as u32;
        match panic::catch_unwind(panic::AssertUnwindSafe(|| stages.run(seed, depth))) {
            Ok(n) => seed += n % 3 + 1,
            Err(_) => {
                caught += 1;
                seed += 1
            }
        }
    }
    caught
}

fn main() {
    let seconds: f64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(1.0);
    let end = Instant::now() + Duration::from_secs_f64(12.0 * seconds);
    panic::set_hook(Box::new(|_| ()));
    let other = std::thread::spawn(move || work(seconds, end, 3));
    let here = work(seconds, end, 1);
    println!("caught {} {}", here, other.join().unwrap());
}
