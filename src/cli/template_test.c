/* SPDX-License-Identifier: Apache-2.0 */
/* Templates against what the real client prints. */
#include "base/test.h"
#include "cli/template.h"

static const char doc[] =
	"{\"Id\":\"abc\",\"Name\":\"/web\",\"Config\":{\"Env\":[\"A=1\",\"B=2\"],\"Labels\":{\"b\":\"2\",\"a\":\"1\"},\"Entrypoint\":null,\"Cmd\":[\"sh\"]},"
	"\"State\":{\"Running\":true,\"ExitCode\":0,\"Pid\":42},\"NetworkSettings\":{\"Ports\":{\"80/tcp\":[{\"HostIp\":\"0.0.0.0\",\"HostPort\":\"8080\"}]},"
	"\"Networks\":{\"bridge\":{\"IPAddress\":\"172.17.0.2\"}}},\"Size\":1234567}";

static const char *render(const char *text)
{
	static struct arena a;
	static struct buf out = BUF_INIT(1 << 20);
	struct err e = { 0 };
	struct tree t;
	struct template *x;

	arena_release(&a);
	arena_init(&a, 1 << 20);
	buf_reset(&out);
	CHECK_OK(tree_from_json(slice_of(doc), 0, &a, &t, &e), &e);
	struct val dot = val_tree(&t);
	if (template_parse(&a, text, &x, &e) < 0 || template_run(x, &a, &dot, true, &out, &e) < 0)
		return arena_strdup(&a, e.text);
	return out.ptr;
}

TEST(template_fields_and_text)
{
	CHECK_STR(render("{{.Id}} {{.ID}}|{{ .Name }}"), "abc abc|/web");
	CHECK_STR(render("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"), "172.17.0.2");
	CHECK_STR(render("{{.State.Running}} {{.State.Pid}} {{.Size}}"), "true 42 1234567");
	CHECK_STR(render("{{.NetworkSettings.Ports}}"), "map[80/tcp:[{0.0.0.0 8080}]]");
	CHECK_STR(render("{{.Config.Labels}}{{.Config.Env}}{{.Config.Entrypoint}}"), "map[a:1 b:2][A=1 B=2][]");
}

TEST(template_range_with_variables)
{
	CHECK_STR(render("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}"), "a=1;b=2;");
	CHECK_STR(render("{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}"), "A=1, B=2");
	CHECK_STR(render("{{range .Config.Entrypoint}}x{{else}}none{{end}}"), "none");
	CHECK_STR(render("{{$x := .Id}}{{with .State}}{{.Pid}}{{$x}}{{$.Name}}{{end}}"), "42abc/web");
	CHECK_STR(render("{{range $p, $conf := .NetworkSettings.Ports}}{{$p}} -> {{(index $conf 0).HostPort}}{{end}}"), "80/tcp -> 8080");
	CHECK_STR(render("{{range .Config.Env}}{{if eq . \"B=2\"}}{{break}}{{end}}{{.}}{{end}}"), "A=1");
}

TEST(template_conditions)
{
	CHECK_STR(render("{{if .State.Running}}up{{else}}down{{end}}"), "up");
	CHECK_STR(render("{{if and .State.Running (eq .State.ExitCode 0)}}ok{{end}}"), "ok");
	CHECK_STR(render("{{if eq .Id \"x\" \"abc\"}}one{{else if .Name}}two{{end}}"), "one");
	CHECK_STR(render("{{if not .State.ExitCode}}zero{{end}}{{if gt .State.Pid 41}}big{{end}}"), "zerobig");
}

TEST(template_functions)
{
	CHECK_STR(render("{{json .Config.Env}}{{json .Config.Entrypoint}}"), "[\"A=1\",\"B=2\"]null");
	CHECK_STR(render("{{json .State}}"), "{\"Running\":true,\"ExitCode\":0,\"Pid\":42}");
	CHECK_STR(render("{{join .Config.Env \",\"}} {{upper .Id}} {{title .Id}} {{len .Config.Env}}"), "A=1,B=2 ABC Abc 2");
	CHECK_STR(render("{{index .Config.Labels \"a\"}}{{index .Config.Env 1}}{{slice .Id 1}}"), "1B=2bc");
	CHECK_STR(render("{{printf \"%s-%d-%5s|%-5s|%q\" .Id .State.Pid .Id .Id .Id}}"), "abc-42-  abc|abc  |\"abc\"");
	CHECK_STR(render("{{pad .Id 1 2}}|{{truncate .Id 2}}|{{split \"a:b\" \":\"}}"), " abc  |ab|[a b]");
	CHECK_STR(render("{{.Id | printf \"%s!\" | len}}"), "4");
	CHECK_STR(render("{{print 1 2 \"x\"}}{{println 1 \"x\"}}"), "1 2x1 x\n");
	CHECK_STR(render("{{html \"<a>\"}}"), "&lt;a&gt;");
}

TEST(template_trims_and_comments)
{
	CHECK_STR(render("a {{- .Id -}} b{{/* no */}}{{- /* no */ -}} c"), "aabcbc");
	CHECK_STR(render("{{\"{{\"}}"), "{{");
}

TEST(template_errors_name_the_place)
{
	CHECK_STR(render("{{.Id"), "template: :1: unclosed action");
	CHECK_STR(render("{{nope .Id}}"), "template: :1: function \"nope\" not defined");
	CHECK_STR(render("{{.Nope}}"), "template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\"");
	CHECK_STR(render("{{end}}"), "template: :1: unexpected {{end}}");
	CHECK_STR(render("{{if .Id}}"), "template: :1: unexpected EOF");
	CHECK_STR(render("{{range .Id}}{{end}}"), "template: :1: range can't iterate over string");
}
