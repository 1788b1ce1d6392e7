//! Counts of stats DBs on their way into a component, in one write each.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use wasmtime::Result;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

use crate::bindings::types::Error;

/// An answer, `result<..., error>`: a count (`s32`), or those of a batch (`list<s32>`).
pub(crate) struct Counted<C>(pub(crate) Result<C, Error>);

/// What is counted, as it lies in a result.
pub(crate) trait Count {
    /// Puts it into the component's memory as far as it needs room there, and tells its words; what has only one has 0 behind
    /// it.
    fn words<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<[u32; 2]>;
}

impl Count for i32 {
    fn words<T>(&self, _: &mut LowerContext<'_, T>) -> Result<[u32; 2]> {
        Ok([self.cast_unsigned(), 0])
    }
}

impl Count for Vec<i32> {
    fn words<T>(&self, cx: &mut LowerContext<'_, T>) -> Result<[u32; 2]> {
        let size = self.len() * 4;
        let at = cx.realloc(0, 0, 4, size)?;
        // `realloc` has checked that there is so much memory.
        let room = &mut cx.as_slice_mut()[at..][..size];
        for (bytes, count) in room.chunks_exact_mut(4).zip(self) {
            bytes.copy_from_slice(&count.to_le_bytes());
        }
        Ok([u32::try_from(at)?, u32::try_from(self.len())?])
    }
}

/// Where a result's value is: behind which of the two it is, aligned as four bytes are.
const VALUE: usize = 4;
/// What is written of a result: there is always so much of it, for an error has as many words and more.
const SIZE: usize = VALUE + 8;
const _: () = assert!(
    Error::ALIGN32 == 4 && <Result<i32, Error>>::SIZE32 >= SIZE && <Result<Vec<i32>, Error>>::SIZE32 >= SIZE
);

// SAFETY: all of it is that of the result inside.
unsafe impl<C> ComponentType for Counted<C>
where
    Result<C, Error>: ComponentType,
{
    type Lower = <Result<C, Error> as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <Result<C, Error> as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = true;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <Result<C, Error> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a good answer is written as `result` writes it (the tests compare the two), in bounds (`get` checks that); the rest
// is that of the result inside.
unsafe impl<C: Count> Lower for Counted<C>
where
    Result<C, Error>: Lower,
{
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        self.0.linear_lower_to_flat(cx, ty, dst)
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let Ok(count) = &self.0 else { return self.0.linear_lower_to_memory(cx, ty, offset) };
        let [first, second] = count.words(cx)?;
        let mut written = [0; SIZE];
        written[VALUE..VALUE + 4].copy_from_slice(&first.to_le_bytes());
        written[VALUE + 4..].copy_from_slice(&second.to_le_bytes());
        *cx.get(offset) = written;
        Ok(())
    }
}
