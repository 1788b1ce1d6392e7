//! Counts on their way into a component, in one write each.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

use wasmtime::Result;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

use crate::bindings::types::Error;

/// A count: `result<s32, error>`.
pub(super) struct Count(pub(super) Result<i32, Error>);

/// Those of a batch: `result<list<s32>, error>`.
pub(super) struct Counts(pub(super) Result<Vec<i32>, Error>);

/// Where a result's value is: behind which of the two it is, aligned as four bytes are.
const VALUE: usize = 4;
const _: () = assert!(
    Error::ALIGN32 == 4
        && <Result<i32, Error>>::SIZE32 >= VALUE + 4
        && <Result<Vec<i32>, Error>>::SIZE32 >= VALUE + 8
);

// SAFETY: all of it is that of the result inside.
unsafe impl ComponentType for Count {
    type Lower = <Result<i32, Error> as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <Result<i32, Error> as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = true;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <Result<i32, Error> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: a count is written as `result` writes it, in bounds (`get` checks that); the rest is that of the result inside.
unsafe impl Lower for Count {
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
        let mut written = [0; VALUE + 4];
        written[VALUE..].copy_from_slice(&count.to_le_bytes());
        *cx.get(offset) = written;
        Ok(())
    }
}

// SAFETY: as above.
unsafe impl ComponentType for Counts {
    type Lower = <Result<Vec<i32>, Error> as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <Result<Vec<i32>, Error> as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = true;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <Result<Vec<i32>, Error> as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: as above; the list is written where `realloc` found room for it, which it checked.
unsafe impl Lower for Counts {
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
        let Ok(counts) = &self.0 else { return self.0.linear_lower_to_memory(cx, ty, offset) };
        let size = counts.len() * 4;
        let at = cx.realloc(0, 0, 4, size)?;
        let room = &mut cx.as_slice_mut()[at..][..size];
        for (bytes, count) in room.chunks_exact_mut(4).zip(counts) {
            bytes.copy_from_slice(&count.to_le_bytes());
        }
        let mut written = [0; VALUE + 8];
        written[VALUE..VALUE + 4].copy_from_slice(&u32::try_from(at)?.to_le_bytes());
        written[VALUE + 4..].copy_from_slice(&u32::try_from(counts.len())?.to_le_bytes());
        *cx.get(offset) = written;
        Ok(())
    }
}
