// SPDX-License-Identifier: Apache-2.0
#include "kube/meta/selector.h"

#include <errno.h>

#include "base/auto.h"
#include "base/test.h"
#include "kube/meta/object.h"

static struct schema_pair labels[] = { { "app", "web" }, { "tier", "front" }, { "example.com/n", "7" } };

static bool matches(const char *text)
{
	AUTO(arena) struct arena a;
	struct selector s;
	struct err e;

	arena_init(&a, 65536);
	CHECK_OK(selector_parse(&a, text, &s, &e), &e);
	return selector_matches(&s, labels, 3);
}

TEST(label_selectors_match_as_kubernetes_does)
{
	CHECK(matches(""));
	CHECK(matches("app=web"));
	CHECK(matches("app==web,tier!=back"));
	CHECK(!matches("app=web,tier=back"));
	CHECK(matches("app in (a, web),other notin (x)"));
	CHECK(!matches("app notin (a,web)"));
	CHECK(matches("app, !other"));
	CHECK(!matches("!app"));
	CHECK(matches("example.com/n>6,example.com/n<8"));
	CHECK(!matches("other>1"));
	CHECK(matches(" other != x "));
}

TEST(label_selectors_that_make_no_sense_are_refused)
{
	static const char *const bad[] = { "=a", "a in b", "a in (b", "a,", ",a", "a=b c", "a>b", "-a", "a=-b", "a b", "!", "a=b,,c" };
	AUTO(arena) struct arena a;
	struct selector s;
	struct err e;

	arena_init(&a, 65536);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (selector_parse(&a, bad[i], &s, &e) != -EINVAL)
			test_fail(__FILE__, __LINE__, "%s was taken", bad[i]);
}

TEST(label_selectors_print_as_they_read)
{
	AUTO(arena) struct arena a;
	AUTO(buf) struct buf out = BUF_INIT(1000);
	struct selector s;
	struct err e;

	arena_init(&a, 65536);
	CHECK_OK(selector_parse(&a, "z=1,a notin (y,x),b,!c,d>5,e!=2", &s, &e), &e);
	selector_text(&s, &out);
	CHECK_STR(out.ptr, "a notin (x,y),b,!c,d>5,e!=2,z=1");
}

TEST(label_selectors_of_objects)
{
	AUTO(arena) struct arena a;
	struct kube_label_selector_requirement q = { .key = "tier", .operator = "In", .values = (const char *[]){ "front" }, .n_values = 1 };
	struct kube_label_selector o = { .match_labels = labels, .n_match_labels = 1, .match_expressions = &q, .n_match_expressions = 1 };
	struct selector s;
	struct err e;

	arena_init(&a, 65536);
	CHECK_OK(selector_of(&a, &o, &s, &e), &e);
	CHECK(selector_matches(&s, labels, 3));
	CHECK(!selector_matches(&s, labels, 1));
	CHECK_OK(selector_of(&a, NULL, &s, &e), &e);
	CHECK(!selector_matches(&s, labels, 3));
	CHECK_OK(selector_of_map(&a, NULL, 0, &s), &e);
	CHECK(!selector_matches(&s, labels, 3));
	q.operator = "Exists";
	CHECK_INT(selector_of(&a, &o, &s, &e), -EINVAL);
}

static const char *field(void *arg, const char *name)
{
	return !strcmp(name, "status.phase") ? "Running" : !strcmp(name, "spec.nodeName") ? "" : NULL;
}

static bool field_matches(const char *text)
{
	AUTO(arena) struct arena a;
	struct selector s;
	struct err e;

	arena_init(&a, 65536);
	CHECK_OK(field_selector_parse(&a, text, &s, &e), &e);
	return field_selector_matches(&s, field, NULL);
}

TEST(field_selectors_match)
{
	AUTO(arena) struct arena a;
	struct selector s;

	arena_init(&a, 65536);
	CHECK(field_matches("status.phase=Running,spec.nodeName="));
	CHECK(field_matches("status.phase!=Pending,spec.nodeName!=x\\,y"));
	CHECK(!field_matches("status.phase==Pending"));
	CHECK(!field_matches("nonsense=1"));
	CHECK_INT(field_selector_parse(&a, "status.phase", &s, NULL), -EINVAL);
}

TEST(a_template_hash_depends_on_the_template_alone)
{
	struct kube_container c = { .name = "c", .image = "nginx" };
	struct schema_pair with[] = { { "app", "web" }, { "pod-template-hash", "abc" } };
	struct kube_pod_template_spec t = { .metadata = { .labels = labels, .n_labels = 1 }, .spec = { .containers = &c, .n_containers = 1 } };
	int32_t collisions = 1;
	char one[16], two[16];

	CHECK_INT(kube_template_hash(&t, NULL, one), 0);
	t.metadata.labels = with;
	t.metadata.n_labels = 2;
	CHECK_INT(kube_template_hash(&t, NULL, two), 0);
	CHECK_STR(one, two);
	CHECK_INT(kube_template_hash(&t, &collisions, two), 0);
	CHECK(strcmp(one, two) != 0);
	c.image = "httpd";
	CHECK_INT(kube_template_hash(&t, NULL, two), 0);
	CHECK(strcmp(one, two) != 0);
}
