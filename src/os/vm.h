/* Address space: raw system calls only, callable on a goroutine's stack. Results are 0 or -errno, or a pointer or NULL. */
#ifndef GO_SRC_OS_VM_H
#define GO_SRC_OS_VM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t go__vm_page(void); /* bytes of a page: 4, 16 or 64 KiB on aarch64 */

/* Readable, writable, zero, no memory behind it yet, not charged where the kernel lets us. `align` is a power of two, at least
 * a page. `hint`: where to look first, 0 for anywhere. */
void *go__vm_map(uintptr_t hint, size_t bytes, size_t align);
void go__vm_unmap(void *lo, size_t bytes);

/* Any access to [lo, lo + bytes) faults from now on. -ENOMEM when the kernel's limit of mappings is reached. */
int go__vm_guard(void *lo, size_t bytes);
bool go__vm_guard_is_light(void); /* guards cost no mapping of their own (Linux 6.13); false before the first go__vm_guard */

void go__vm_populate(void *lo, size_t bytes);  /* touch now, in one call; best effort */
void go__vm_want_huge(void *lo, size_t bytes); /* one fault for 2 MiB, if the kernel likes */
void go__vm_no_huge(void *lo, size_t bytes);   /* a touched page must stay one page */
void go__vm_discard(void *lo, size_t bytes);   /* contents go, pages return to the system, addresses stay */

#endif
