/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include "base/heap.h"
#include "base/list.h"
#include "base/rand.h"
#include "base/test.h"
#include "base/vec.h"

TEST(map_finds_what_was_set_and_nothing_else_through_many_changes)
{
	enum { N = 500, STEPS = 20000 };
	struct map m;
	bool there[N] = { 0 };
	map_init(&m);
	for (int i = 0; i < STEPS; i++) {
		uint64_t r = rand_u64();
		unsigned k = (unsigned)(r % N);
		char key[16];
		fmt_into(key, sizeof key, "key%u", k);
		if (r >> 63) {
			CHECK((map_dels(&m, key) != NULL) == there[k]);
			there[k] = false;
		} else {
			CHECK_INT(map_sets(&m, key, (void *)(uintptr_t)(k + 1)), 0);
			there[k] = true;
		}
	}
	size_t n = 0, seen = 0, pos = 0;
	for (unsigned k = 0; k < N; k++) {
		char key[16];
		fmt_into(key, sizeof key, "key%u", k);
		CHECK((uintptr_t)map_gets(&m, key) == (there[k] ? k + 1 : 0));
		n += there[k];
	}
	while (map_next(&m, &pos))
		seen++;
	CHECK_INT(m.n, n);
	CHECK_INT(seen, n);
	map_release(&m);
}

TEST(map_walks_in_the_order_of_insertion)
{
	struct map m;
	size_t pos = 0;
	map_init(&m);
	for (const char *s = "zxmab"; *s; s++)
		map_set(&m, slice_n(s, 1), &m, NULL);
	for (const char *s = "zxmab"; *s; s++)
		CHECK(map_next(&m, &pos)->key[0] == *s);
	map_release(&m);
}

TEST(heap_gives_the_least_key_first_and_forgets_removed_nodes)
{
	enum { N = 300 };
	struct heap h = { 0 };
	struct heap_node nodes[N] = { 0 };
	for (int i = 0; i < N; i++)
		CHECK_INT(heap_add(&h, &nodes[i], rand_u64() % 1000), 0);
	for (int i = 0; i < N; i += 3) {
		heap_del(&h, &nodes[i]);
		heap_del(&h, &nodes[i]);
	}
	uint64_t last = 0;
	size_t n = 0;
	for (struct heap_node *x; (x = heap_min(&h)); n++) {
		CHECK(x->key >= last);
		last = x->key;
		heap_del(&h, x);
	}
	CHECK_INT(n, N - N / 3);
	heap_release(&h);
}

TEST(list_each_allows_removing_the_member_at_hand)
{
	struct item {
		int n;
		struct list node;
	} items[4], *it;
	struct list head;
	int sum = 0;
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		items[i].n = i;
		list_add_tail(&head, &items[i].node);
	}
	list_each(it, &head, node) {
		sum = sum * 10 + it->n;
		list_del(&it->node);
	}
	CHECK_INT(sum, 123);
	CHECK(list_empty(&head));
}

TEST(vec_grows_and_removes_in_order)
{
	VEC(int) v = { 0 };
	for (int i = 0; i < 100; i++)
		CHECK_INT(vec_push(&v, i), 0);
	vec_remove(&v, 0);
	CHECK_INT(v.n, 99);
	CHECK_INT(v.v[98], 99);
	vec_release(&v);
}
