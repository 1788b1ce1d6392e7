//! The heap of a component: free lists by powers of two over memory that only grows.
//!
//! Nearly every call takes a dozen short texts and gives them back. Here that costs a few instructions each, where the
//! allocator of the standard library spends a good part of a policy's time on joining neighbours. The price is room: a
//! block is up to twice what was asked for, and what was freed serves blocks of its own class only. It starts in what the
//! linker left of the first pages, so that a small policy's fresh instance need not ask its host for memory.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr;

/// Bytes of the smallest block, and what all blocks are aligned to.
const SMALLEST: usize = 16;
const PAGE: usize = 64 << 10;
/// One for each power of two.
const CLASSES: usize = usize::BITS as usize;

/// Where memory comes from.
pub(crate) trait Pages {
    /// The first bytes that are nobody's: where they begin and end.
    fn first(&self) -> (*mut u8, *mut u8);
    /// So many more bytes, a multiple of [`PAGE`], all zero.
    fn more(&self, bytes: usize) -> Option<*mut u8>;
}

/// The allocator. Serves one thread.
pub(crate) struct Heap<P> {
    pages: P,
    /// What is free of each class; a free block begins with the address of the next.
    free: [Cell<*mut u8>; CLASSES],
    /// What was never used.
    next: Cell<*mut u8>,
    end: Cell<*mut u8>,
}

/// The power of two, as its exponent, of the block for so many bytes.
#[inline]
const fn class(size: usize) -> usize {
    let size = if size < SMALLEST { SMALLEST } else { size };
    (usize::BITS - (size - 1).leading_zeros()) as usize
}

fn between(from: *mut u8, to: *mut u8) -> usize {
    to.addr().saturating_sub(from.addr())
}

impl<P: Pages> Heap<P> {
    pub(crate) const fn new(pages: P) -> Self {
        Self {
            pages,
            free: [const { Cell::new(ptr::null_mut()) }; CLASSES],
            next: Cell::new(ptr::null_mut()),
            end: Cell::new(ptr::null_mut()),
        }
    }

    /// Memory that was never used; null if there is no more.
    #[cold]
    #[inline(never)]
    fn fresh(&self, block: usize) -> *mut u8 {
        if self.end.get().is_null() {
            let (first, end) = self.pages.first();
            let aligned = first.wrapping_add(first.align_offset(SMALLEST));
            self.next.set(aligned);
            self.end.set(end);
        }
        if between(self.next.get(), self.end.get()) < block {
            let Some(bytes) = block.checked_next_multiple_of(PAGE) else { return ptr::null_mut() };
            let Some(more) = self.pages.more(bytes) else { return ptr::null_mut() };
            // Where it continues what is there, that is not lost.
            if more != self.end.get() {
                self.next.set(more);
            }
            self.end.set(more.wrapping_add(bytes));
        }
        let found = self.next.get();
        self.next.set(found.wrapping_add(block));
        found
    }

    /// A block of this class.
    #[inline]
    fn take(&self, class: usize) -> *mut u8 {
        // 2^31 is more than any policy has, and the last that a layout can ask for.
        let Some(list) = self.free.get(class) else { return ptr::null_mut() };
        let found = list.get();
        if found.is_null() {
            return self.fresh(1 << class);
        }
        // SAFETY: a free block is at least SMALLEST bytes, aligned for a pointer, ours, and begins with the next one's address.
        list.set(unsafe { found.cast::<*mut u8>().read() });
        found
    }

    /// # Safety
    /// The block must come from [`Self::take`] with this class, and is not used any more.
    #[inline]
    unsafe fn give(&self, block: *mut u8, class: usize) {
        if let Some(list) = self.free.get(class) {
            // SAFETY: as in `take`.
            unsafe { block.cast::<*mut u8>().write(list.get()) };
            list.set(block);
        }
    }

    /// More than the usual alignment: a larger block, with its address just before the part that is used.
    #[cold]
    #[inline(never)]
    fn take_aligned(&self, layout: Layout) -> *mut u8 {
        let Some(size) = layout.size().checked_add(layout.align()) else { return ptr::null_mut() };
        let block = self.take(class(size));
        if block.is_null() {
            return block;
        }
        // At least SMALLEST bytes further, as the block is aligned to those and the alignment is a multiple of them.
        let past = block.wrapping_add(SMALLEST);
        let used = past.wrapping_add(past.align_offset(layout.align()));
        // SAFETY: inside the block, which has room for the alignment in front of the used part.
        unsafe { used.cast::<*mut u8>().sub(1).write(block) };
        used
    }
}

// SAFETY: blocks do not overlap: each is cut off the unused part once, and then is either in use or in one list. They are
// as large as their class says and aligned to SMALLEST; `take_aligned` sees to the rest.
unsafe impl<P: Pages> GlobalAlloc for Heap<P> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > SMALLEST { self.take_aligned(layout) } else { self.take(class(layout.size())) }
    }

    #[inline]
    unsafe fn dealloc(&self, used: *mut u8, layout: Layout) {
        if layout.align() > SMALLEST {
            // SAFETY: `take_aligned` put the block's address there, and took it with this class.
            unsafe { self.give(used.cast::<*mut u8>().sub(1).read(), class(layout.size() + layout.align())) };
        } else {
            // SAFETY: by the trait's contract it came from `alloc` with the same layout.
            unsafe { self.give(used, class(layout.size())) };
        }
    }

    #[inline]
    unsafe fn realloc(&self, used: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if layout.align() <= SMALLEST && class(size) == class(layout.size()) {
            return used;
        }
        // SAFETY: the trait's contract: the size does not overflow with this alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: the contract of each.
        unsafe {
            let new = self.alloc(wanted);
            if !new.is_null() {
                ptr::copy_nonoverlapping(used, new, size.min(layout.size()));
                self.dealloc(used, layout);
            }
            new
        }
    }
}

#[cfg(all(feature = "heap", target_arch = "wasm32"))]
mod component {
    use core::arch::wasm32::{memory_grow, memory_size};

    use super::{Heap, PAGE, Pages};

    struct Linear;

    unsafe extern "C" {
        /// Set by the linker: behind the stack and all that is static.
        static mut __heap_base: u8;
    }

    impl Pages for Linear {
        fn first(&self) -> (*mut u8, *mut u8) {
            let first = &raw mut __heap_base;
            (first, first.with_addr(memory_size(0) * PAGE))
        }

        fn more(&self, bytes: usize) -> Option<*mut u8> {
            let before = memory_grow(0, bytes / PAGE);
            (before != usize::MAX).then(|| (&raw mut __heap_base).with_addr(before * PAGE))
        }
    }

    // SAFETY: wasm32-unknown-unknown without atomics has no second thread that could see it.
    unsafe impl Sync for Heap<Linear> {}

    #[global_allocator]
    static HEAP: Heap<Linear> = Heap::new(Linear);
}

#[cfg(test)]
mod tests {
    use core::alloc::{GlobalAlloc as _, Layout};
    use core::cell::{Cell, RefCell};
    use std::vec::Vec;

    use super::{Heap, PAGE, Pages};

    /// A few pages, in one piece unless said otherwise.
    struct Room {
        room: RefCell<Vec<u128>>,
        used: Cell<usize>,
        gap: usize,
    }

    impl Room {
        fn new(pages: usize, gap: usize) -> Self {
            Self { room: RefCell::new(std::vec![0; pages * PAGE / 16]), used: Cell::new(PAGE), gap }
        }
    }

    impl Pages for Room {
        fn first(&self) -> (*mut u8, *mut u8) {
            let begin = self.room.borrow_mut().as_mut_ptr().cast::<u8>();
            (begin.wrapping_add(3), begin.wrapping_add(PAGE))
        }

        fn more(&self, bytes: usize) -> Option<*mut u8> {
            let mut room = self.room.borrow_mut();
            let at = self.used.get() + self.gap;
            self.used.set(at + bytes);
            (at + bytes <= room.len() * 16).then(|| room.as_mut_ptr().cast::<u8>().wrapping_add(at))
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn blocks_do_not_overlap_keep_what_they_hold_and_are_aligned() {
        for gap in [0, PAGE] {
            let heap = Heap::new(Room::new(200, gap));
            let mut live: Vec<(*mut u8, Layout, u8)> = Vec::new();
            let mut random = 1_u32;
            let mut next = |below: u32| {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (random >> 8) % below
            };
            let whole = |block: *mut u8, len: usize, mark: u8| {
                (0..len).all(|at| unsafe { block.add(at).read() } == mark)
            };
            for round in 0..20_000_u32 {
                let mark = (round % 251) as u8;
                let (what, at) = (next(3), next(1 + live.len() as u32) as usize);
                if what == 0 || live.len() < 5 {
                    let (bits, align) = (next(14), next(8));
                    let layout = layout(1 + next(1 << bits) as usize, 1 << align);
                    let block = unsafe { heap.alloc(layout) };
                    assert!(!block.is_null());
                    assert_eq!(block.addr() % layout.align(), 0);
                    unsafe { block.write_bytes(mark, layout.size()) };
                    live.push((block, layout, mark));
                } else if at < live.len() {
                    let (block, old, held) = live.swap_remove(at);
                    assert!(whole(block, old.size(), held), "round {round}");
                    if what == 1 {
                        unsafe { heap.dealloc(block, old) };
                    } else {
                        let size = 1 + next(3_000) as usize;
                        let moved = unsafe { heap.realloc(block, old, size) };
                        assert_eq!(moved.addr() % old.align(), 0);
                        assert!(whole(moved, size.min(old.size()), held), "round {round}");
                        unsafe { moved.write_bytes(mark, size) };
                        live.push((moved, layout(size, old.align()), mark));
                    }
                }
                if live.len() > 200 {
                    let (block, old, held) = live.remove(0);
                    assert!(whole(block, old.size(), held));
                    unsafe { heap.dealloc(block, old) };
                }
            }
        }
    }

    #[test]
    fn calls_that_free_what_they_take_need_no_more_memory() {
        let heap = Heap::new(Room::new(1, 0));
        for size in (0..100_000_usize).map(|n| 1 + n % 1_000) {
            let block = unsafe { heap.alloc(layout(size, 1)) };
            assert!(!block.is_null());
            unsafe { heap.dealloc(block, layout(size, 1)) };
        }
    }

    #[test]
    fn no_more_memory_is_an_answer() {
        let heap = Heap::new(Room::new(4, 0));
        assert!(unsafe { heap.alloc(layout(10 * PAGE, 8)) }.is_null());
        assert!(unsafe { heap.alloc(layout(isize::MAX as usize - 7, 8)) }.is_null());
        assert!(!unsafe { heap.alloc(layout(10, 8)) }.is_null(), "smaller ones are served");
    }
}
