//! Texts on their way into a component.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use wasmtime::Result;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

/// Where an instance wants texts of no length, as far as that is known: 0, or an address.
#[derive(Debug, Default)]
pub(crate) struct Nothing(AtomicU32);

/// A text, lent. Most logins have several empty ones, and asking a component for room for each costs an entry into its code.
/// So an instance is asked once; if its answer is no place in memory (1 or 2, the alignment, as every generator of bindings
/// makes it), it stands for all others as well. One that answers with a place gets one for each text.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) nothing: &'a Nothing,
}

// SAFETY: all of it is that of a text.
unsafe impl ComponentType for Text<'_> {
    type Lower = <str as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <str as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = <str as ComponentType>::MAY_REQUIRE_REALLOC;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <str as ComponentType>::typecheck(ty, types)
    }
}

// SAFETY: it writes what a text writes: an address and a length. The address of nothing is one that the component gave for
// nothing, with the same encoding; being no place in memory, nothing was allocated there and it is good for ever.
unsafe impl Lower for Text<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        self.text.linear_lower_to_flat(cx, ty, dst)
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        if !self.text.is_empty() {
            return self.text.linear_lower_to_memory(cx, ty, offset);
        }
        let known = self.nothing.0.load(Ordering::Relaxed);
        if known != 0 {
            *cx.get(offset) = known.to_le_bytes();
            *cx.get(offset + 4) = 0_u32.to_le_bytes();
            return Ok(());
        }
        self.text.linear_lower_to_memory(cx, ty, offset)?;
        let at = u32::from_le_bytes(*cx.get(offset));
        if at == 1 || at == 2 {
            self.nothing.0.store(at, Ordering::Relaxed);
        }
        Ok(())
    }
}
