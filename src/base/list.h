/* SPDX-License-Identifier: Apache-2.0 */
/* Intrusive doubly linked list with a head that links to itself when empty. */
#pragma once
#include <stdbool.h>
#include "base/auto.h"

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }
static inline void list_insert_(struct list *n, struct list *prev, struct list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}
static inline void list_add_tail(struct list *head, struct list *n) { list_insert_(n, head->prev, head); }
static inline void list_add_head(struct list *head, struct list *n) { list_insert_(n, head, head->next); }
/* Unlinks n, which then is an empty list itself: removing it again is harmless. */
static inline void list_del(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
/* The body may remove `it`. */
#define list_each(it, head, member) \
	for (__typeof__(it) list_n_ = (it = list_entry((head)->next, __typeof__(*it), member), \
		list_entry(it->member.next, __typeof__(*it), member)); \
	     &it->member != (head); \
	     it = list_n_, list_n_ = list_entry(it->member.next, __typeof__(*it), member))
