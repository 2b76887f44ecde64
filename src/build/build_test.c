/* SPDX-License-Identifier: Apache-2.0 */
/* The builder against an engine that only notes what it was asked. */
#include "build/build.h"

#include <errno.h>

#include "base/test.h"
#include "build/dockerfile.h"
#include "build/text.h"
#include "build/words.h"

struct fake {
	struct { char parent[BUILD_ID_MAX], key[512]; struct image_image image; } made[64];
	unsigned n;
	struct buf text, asked;
	struct arena a;
	int exit_code;
};

static void name_id(unsigned n, char id[BUILD_ID_MAX])
{
	fmt_into(id, BUILD_ID_MAX, "sha256:%064x", n + 1);
}

static int from_wait(void *arg, const char *name, bool pull, char id[BUILD_ID_MAX], struct err *e)
{
	if (!strcmp(name, "missing"))
		return err_set(e, ENOENT, "pull access denied for missing");
	fmt_into(id, BUILD_ID_MAX, "sha256:base-%s-000000000000", name);
	return 0;
}

static int image_wait(void *arg, const char *id, struct arena *a, struct image_image *ret, struct err *e)
{
	struct fake *f = arg;
	char want[BUILD_ID_MAX];
	for (unsigned i = 0; i < f->n; i++) {
		name_id(i, want);
		if (!strcmp(want, id)) {
			*ret = f->made[i].image;
			return 0;
		}
	}
	static const char *env[] = { "PATH=/bin" }, *trigger[] = { "ENV from=trigger" };
	*ret = (struct image_image){ .architecture = "amd64", .os = "linux", .config = { .env = env, .n_env = 1 } };
	if (strstr(id, "onbuild")) {
		ret->config.on_build = trigger;
		ret->config.n_on_build = 1;
	}
	return 0;
}

static int cached(void *arg, const char *parent, const char *key, char id[BUILD_ID_MAX])
{
	struct fake *f = arg;
	for (unsigned i = 0; i < f->n; i++)
		if (!strcmp(f->made[i].parent, parent) && !strcmp(f->made[i].key, key)) {
			name_id(i, id);
			return 1;
		}
	return 0;
}

static int commit_wait(void *arg, const char *parent, const struct image_image *image, struct build_layer *layer, char id[BUILD_ID_MAX], struct err *e)
{
	struct fake *f = arg;
	fmt_into(f->made[f->n].parent, BUILD_ID_MAX, "%s", parent);
	fmt_into(f->made[f->n].key, sizeof f->made[0].key, "%s", image->history[image->n_history - 1].created_by);
	schema_copy(T_image_image, image, &f->a, &f->made[f->n].image);
	name_id(f->n++, id);
	return 0;
}

static int container_create_wait(void *arg, const char *parent, const struct image_config *c, char id[BUILD_ID_MAX], struct err *e)
{
	struct fake *f = arg;
	for (uint32_t i = 0; i < c->n_env; i++)
		buf_addf(&f->asked, "%s ", c->env[i]);
	for (uint32_t i = 0; i < c->n_cmd; i++)
		buf_addf(&f->asked, "<%s>", c->cmd[i]);
	fmt_into(id, BUILD_ID_MAX, "%064x", 0xabc);
	return 0;
}

static int container_run_wait(void *arg, const char *id, int *exit_code, struct err *e)
{
	*exit_code = ((struct fake *)arg)->exit_code;
	return 0;
}

static int container_layer_wait(void *arg, const char *id, struct build_layer **ret, struct err *e)
{
	*ret = arg;
	return 0;
}

static void container_remove_wait(void *arg, const char *id)
{
}

static int copy_sum_wait(void *arg, const struct build_copy *c, char *sum, size_t size, struct err *e)
{
	fmt_into(sum, size, "file:%s", c->sources[0]);
	return 0;
}

static int copy_wait(void *arg, const char *parent, const struct build_copy *c, struct build_layer **ret, struct err *e)
{
	buf_addf(&((struct fake *)arg)->asked, "copy %s from %s to %s chown %s\n", c->n_sources ? c->sources[0] : "-",
		 c->from_image ? c->from_image : "context", c->destination, c->chown ? c->chown : "-");
	*ret = arg;
	return 0;
}

static int mkdir_wait(void *arg, const char *parent, const char *path, struct build_layer **ret, struct err *e)
{
	buf_addf(&((struct fake *)arg)->asked, "mkdir %s\n", path);
	*ret = arg;
	return 0;
}

static int tag_wait(void *arg, const char *id, const char *name, struct err *e)
{
	return 0;
}

static int event_wait(void *arg, const struct build_event *ev)
{
	struct fake *f = arg;
	if (ev->kind == BUILD_RUNNING || ev->kind == BUILD_REMOVED) {
		build_text(&(struct build_event){ ev->kind, NULL, "0123456789abcdef" }, false, &f->text);
		return 0;
	}
	build_text(ev, false, &f->text);
	return 0;
}

static int build(struct fake *f, const char *dockerfile, struct build_options o, struct err *e)
{
	struct build_ops ops = { from_wait, image_wait, cached, commit_wait, container_create_wait, container_run_wait, container_layer_wait,
				 container_remove_wait, copy_sum_wait, copy_wait, mkdir_wait, tag_wait, f };
	struct build_observer obs = { event_wait, f };
	char id[BUILD_ID_MAX];
	int code;
	if (!f->text.ptr) {
		buf_init(&f->text, 1 << 16);
		buf_init(&f->asked, 1 << 16);
		arena_init(&f->a, 1 << 24);
	}
	buf_reset(&f->text);
	buf_reset(&f->asked);
	o.dockerfile = slice_of(dockerfile);
	return build_wait(&o, &ops, &obs, id, &code, e);
}

static void release(struct fake *f)
{
	buf_release(&f->text);
	buf_release(&f->asked);
	arena_release(&f->a);
}

static const char course[] = "FROM python:3.7-slim\nWORKDIR /app\nCOPY . /app\nRUN pip install flask\nEXPOSE 5000\nCMD [\"python\", \"app.py\"]\n";

TEST(the_courses_dockerfile_prints_what_the_course_shows_and_then_comes_from_the_cache)
{
	struct fake f = { 0 };
	struct err e;
	static const char *const tags[] = { "hello:v1" };
	struct build_options o = { .tags = tags, .n_tags = 1 };
	CHECK_OK(build(&f, course, o, &e), &e);
	CHECK_STR(f.text.ptr, "Step 1/6 : FROM python:3.7-slim\n ---> base-python:\n"
			      "Step 2/6 : WORKDIR /app\n ---> Running in 0123456789ab\nRemoving intermediate container 0123456789ab\n ---> 000000000000\n"
			      "Step 3/6 : COPY . /app\n ---> 000000000000\n"
			      "Step 4/6 : RUN pip install flask\n ---> Running in 0123456789ab\nRemoving intermediate container 0123456789ab\n ---> 000000000000\n"
			      "Step 5/6 : EXPOSE 5000\n ---> Running in 0123456789ab\nRemoving intermediate container 0123456789ab\n ---> 000000000000\n"
			      "Step 6/6 : CMD [\"python\", \"app.py\"]\n ---> Running in 0123456789ab\nRemoving intermediate container 0123456789ab\n ---> 000000000000\n"
			      "Successfully built 000000000000\nSuccessfully tagged hello:v1\n");
	CHECK_STR(f.asked.ptr, "mkdir /app\ncopy . from context to /app chown -\nPATH=/bin </bin/sh><-c><pip install flask>");
	CHECK_STR(f.made[0].key, "/bin/sh -c #(nop)  WORKDIR /app");
	CHECK_STR(f.made[1].key, "/bin/sh -c #(nop) COPY file:. in /app ");
	CHECK_STR(f.made[2].key, "/bin/sh -c pip install flask");
	CHECK_STR(f.made[4].key, "/bin/sh -c #(nop)  CMD [\"python\" \"app.py\"]");
	unsigned n = f.n;
	CHECK_OK(build(&f, course, o, &e), &e);
	CHECK_INT(f.n, n);
	CHECK_STR(f.asked.ptr, "");
	CHECK(strstr(f.text.ptr, "Step 6/6 : CMD [\"python\", \"app.py\"]\n ---> Using cache\n ---> "));
	o.no_cache = true;
	CHECK_OK(build(&f, course, o, &e), &e);
	CHECK(!strstr(f.text.ptr, "Using cache"));
	release(&f);
}

TEST(build_args_reach_from_run_and_the_cache_key)
{
	struct fake f = { 0 };
	struct err e;
	struct build_arg args[] = { { "V", "9" }, { "A", "x" }, { "nobody", "1" } };
	struct build_options o = { .args = args, .n_args = 3 };
	CHECK_OK(build(&f, "ARG V=1\nFROM base:$V\nARG A\nARG B=${A}-b\nENV C=$B\nRUN go", o, &e), &e);
	CHECK(strstr(f.text.ptr, "Step 1/6 : ARG V=1\nStep 2/6 : FROM base:$V\n ---> base-base:9-"));
	CHECK(strstr(f.text.ptr, "[Warning] One or more build-args [nobody] were not consumed\n"));
	CHECK_STR(f.made[f.n - 1].key, "|2 A=x B=x-b /bin/sh -c go");
	CHECK_STR(f.made[2].key, "/bin/sh -c #(nop)  ENV C=x-b");
	release(&f);
}

TEST(stages_copy_from_each_other_and_stop_at_the_target)
{
	struct fake f = { 0 };
	struct err e;
	const char *text = "FROM a AS one\nRUN x\nFROM scratch AS two\nCOPY --from=one --chown=1:2 /x /y/\nFROM two\nCMD [\"z\"]\n";
	CHECK_OK(build(&f, text, (struct build_options){ .target = "two" }, &e), &e);
	CHECK(strstr(f.text.ptr, "Step 3/4 : FROM scratch AS two\n ---> \n"));
	CHECK(strstr(f.asked.ptr, "copy /x from sha256:0000000000000000000000000000000000000000000000000000000000000001 to /y/ chown 1:2\n"));
	CHECK(!strstr(f.text.ptr, "Step 5"));
	CHECK_INT(build(&f, text, (struct build_options){ .target = "three" }, &e), -EINVAL);
	CHECK_STR(e.text, "target stage \"three\" could not be found");
	release(&f);
}

TEST(a_failing_run_says_so_with_its_code)
{
	struct fake f = { .exit_code = 7 };
	struct err e;
	CHECK_INT(build(&f, "FROM a\nRUN false", (struct build_options){ 0 }, &e), -EINVAL);
	CHECK_STR(e.text, "The command '/bin/sh -c false' returned a non-zero code: 7");
	release(&f);
}

TEST(onbuild_triggers_run_after_from)
{
	struct fake f = { 0 };
	struct err e;
	CHECK_OK(build(&f, "FROM onbuild", (struct build_options){ 0 }, &e), &e);
	CHECK(strstr(f.text.ptr, "# Executing 1 build trigger\n"));
	CHECK_STR(f.made[0].key, "/bin/sh -c #(nop)  ENV from=trigger");
	CHECK_INT(f.made[0].image.config.n_on_build, 0);
	release(&f);
}

TEST(wrong_dockerfiles_are_refused_with_their_line)
{
	static const char *const rows[][2] = {
		{ "", "file with no instructions" },
		{ "# only a comment\n", "file with no instructions" },
		{ "FROM a\n\nFOO bar\n", "dockerfile parse error on line 3: unknown instruction: FOO" },
		{ "RUN x", "dockerfile parse error on line 1: no build stage in current context" },
		{ "FROM", "dockerfile parse error on line 1: FROM requires either one or three arguments" },
		{ "FROM a b", "dockerfile parse error on line 1: FROM requires either one or three arguments" },
		{ "FROM a\nCOPY x", "dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined" },
		{ "FROM a\nENV x", "ENV must have two arguments" },
		{ "FROM a\nENV x=1 y", "Syntax error - can't find = in \"y\". Must be of the form: name=value" },
		{ "FROM a\nEXPOSE 99999", "invalid containerPort: 99999" },
		{ "FROM a\nEXPOSE 80/foo", "invalid proto: foo" },
		{ "FROM a\nSTOPSIGNAL SIGFOO", "invalid signal: SIGFOO" },
		{ "FROM a\nSHELL bash", "SHELL requires the arguments to be in JSON form" },
		{ "FROM a\nHEALTHCHECK --interval=x CMD y", "time: invalid duration \"x\"" },
		{ "FROM a\nHEALTHCHECK WHAT", "Unknown type \"WHAT\" in HEALTHCHECK (try CMD)" },
		{ "FROM a\nCOPY --what=1 a b", "dockerfile parse error on line 2: unknown flag: --what" },
		{ "FROM a\nONBUILD ONBUILD RUN x", "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" },
		{ "FROM a\nONBUILD FROM x", "FROM isn't allowed as an ONBUILD trigger" },
		{ "FROM a\nCOPY a b /c", "When using COPY with more than one source file, the destination must be a directory and end with a /" },
		{ "FROM a AS 1x", "dockerfile parse error on line 1: invalid name for build stage: \"1x\", name can't start with a number or contain symbols" },
		{ "FROM missing", "pull access denied for missing" },
		{ "FROM a\nRUN <<EOF\nx", "dockerfile parse error on line 2: unterminated heredoc: EOF" },
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct fake f = { 0 };
		struct err e = { 0 };
		CHECK(build(&f, rows[i][0], (struct build_options){ 0 }, &e) < 0);
		CHECK_STR(e.text, rows[i][1]);
		release(&f);
	}
}

TEST(lines_join_over_comments_and_directives_choose_the_escape)
{
	struct arena a;
	struct df_file f;
	struct err e;
	arena_init(&a, 1 << 20);
	CHECK_OK(df_parse(SLICE("# escape=`\nFROM a\nRUN one `\n# note\n\n  two\nrun cat <<A <<-\"B\"\nx\nA\n\ty\n\tB\nCMD [\"a\" , \"b\"]\n"), &a, &f, &e), &e);
	CHECK_INT(f.n_steps, 4);
	CHECK_STR(f.steps[1].text, "RUN one   two");
	CHECK_INT(f.steps[1].line, 3);
	CHECK_INT(f.steps[2].n_heredocs, 2);
	CHECK_STR(f.steps[2].heredocs[0].text, "x\n");
	CHECK_STR(f.steps[2].heredocs[1].text, "y\n");
	CHECK(f.steps[2].heredocs[0].expand && !f.steps[2].heredocs[1].expand);
	CHECK(f.steps[3].is_json && f.steps[3].n_words == 2);
	arena_release(&a);
}

static const char *lookup(void *arg, struct slice name)
{
	return slice_is(name, "x") ? "value" : slice_is(name, "empty") ? "" : slice_is(name, "path") ? "a/b/c.tar.gz" : NULL;
}

TEST(words_expand_as_the_dockerfile_reference_says)
{
	static const char *const rows[][2] = {
		{ "$x", "value" }, { "${x}y", "valuey" }, { "'$x'", "$x" }, { "\"$x\"", "value" }, { "\\$x", "$x" }, { "$none", "" },
		{ "${none:-d}", "d" }, { "${empty:-d}", "d" }, { "${empty-d}", "" }, { "${x:+s}", "s" }, { "${none:+s}", "" },
		{ "${none:-${x}}", "value" }, { "a\\ b", "a b" }, { "${path##*/}", "c.tar.gz" }, { "${path#*/}", "b/c.tar.gz" },
		{ "${path%.*}", "a/b/c.tar" }, { "${path%%.*}", "a/b/c" }, { "${path/b/z}", "a/z/c.tar.gz" }, { "${path//a/A}", "A/b/c.tAr.gz" },
		{ "a$", "a$" }, { "\"a\\\"b\"", "a\"b" },
	};
	struct arena a;
	struct word_env env = { lookup, NULL };
	struct err e;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const char *got;
		CHECK_OK(word_expand(slice_of(rows[i][0]), '\\', &env, &a, &got, &e), &e);
		CHECK_STR(got, rows[i][1]);
	}
	static const char *const bad[] = { "${x", "\"x", "'x", "${none:?missing}", "${x^}", "${}" };
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const char *got;
		CHECK_INT(word_expand(slice_of(bad[i]), '\\', &env, &a, &got, &e), -EINVAL);
	}
	arena_release(&a);
}

TEST(change_applies_one_instruction)
{
	struct arena a;
	struct image_config c = { 0 };
	struct err e;
	arena_init(&a, 1 << 20);
	CHECK_OK(build_change("CMD [\"sh\"]", &a, &c, &e), &e);
	CHECK_OK(build_change("ENV PATH=/bin X=1", &a, &c, &e), &e);
	CHECK_INT(c.n_cmd, 1);
	CHECK_INT(c.n_env, 2);
	CHECK_STR(c.env[1], "X=1");
	CHECK_INT(build_change("RUN x", &a, &c, &e), -EINVAL);
	CHECK_STR(e.text, "RUN is not a valid change command");
	arena_release(&a);
}
