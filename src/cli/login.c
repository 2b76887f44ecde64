/* SPDX-License-Identifier: Apache-2.0 */
/* login and logout. */
#include <termios.h>
#include "base/fd.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/config.h"

static const char *ask_line(struct cli *c, const char *prompt, bool hidden)
{
	AUTO(buf) struct buf line = BUF_INIT(4096);
	struct termios before, quiet;
	bool changed = false;
	char ch;

	cli_print(c, "%s", prompt);
	cli_flush(c);
	if (hidden && tcgetattr(0, &before) == 0) {
		quiet = before;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		changed = tcsetattr(0, TCSANOW, &quiet) == 0;
	}
	while (read(0, &ch, 1) == 1 && ch != '\n')
		buf_addc(&line, ch);
	if (changed) {
		tcsetattr(0, TCSANOW, &before);
		cli_print(c, "\n");
	}
	return arena_dup(&c->arena, slice_trim(buf_slice(&line)));
}

static const char *stdin_password(struct cli *c, struct err *e)
{
	AUTO(buf) struct buf all = BUF_INIT(1 << 20);
	struct slice text;

	if (fd_slurp(0, &all) < 0)
		return err_set(e, EIO, "read the password"), NULL;
	text = buf_slice(&all);
	if (slice_ends(text, "\n"))
		text.len--;
	if (slice_ends(text, "\r"))
		text.len--;
	return arena_dup(&c->arena, text);
}

static const char *registry_key(struct cli *c, const char *server)
{
	struct slice s = slice_of(server), rest;

	if (!server || !*server || !strcmp(server, "docker.io") || !strcmp(server, "index.docker.io") || !strcmp(server, AUTH_HUB))
		return AUTH_HUB;
	if (slice_starts(s, "https://"))
		s = slice_n(s.ptr + 8, s.len - 8);
	else if (slice_starts(s, "http://"))
		s = slice_n(s.ptr + 7, s.len - 7);
	slice_cut(s, '/', &s, &rest);
	return arena_dup(&c->arena, s);
}

static int credentials(struct cli *c, const char *registry, struct docker_auth_config *auth, struct err *e)
{
	const char *user = flag_str(&c->f, "username"), *password = flag_str(&c->f, "password");

	if (*password) {
		cli_warn(c, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
		if (flag_bool(&c->f, "password-stdin"))
			return err_set(e, EINVAL, "--password and --password-stdin are mutually exclusive");
	}
	if (flag_bool(&c->f, "password-stdin")) {
		if (!*user)
			return err_set(e, EINVAL, "the --password-stdin option requires --username to be set");
		if (!(password = stdin_password(c, e)))
			return -EIO;
		if (!*password)
			return err_set(e, EINVAL, "password is empty");
	}
	if ((!*user || !*password) && !isatty(0))
		return err_set(e, ENOTTY, "Error: Cannot perform an interactive login from a non TTY device");
	if (!*user)
		user = ask_line(c, "Username: ", false);
	if (!*user)
		return err_set(e, EINVAL, "Error: Non-null Username Required");
	if (!*password)
		password = ask_line(c, "Password: ", true);
	if (!*password)
		return err_set(e, EINVAL, "Error: Password Required");
	*auth = (struct docker_auth_config){ .username = user, .password = password, .serveraddress = registry };
	return 0;
}

int cmd_login(struct cli *c, struct err *e)
{
	const char *registry = registry_key(c, cli_arg(c, 0)), *where;
	struct docker_auth_config auth = { 0 };
	struct docker_auth_ok ok = { 0 };
	bool kept = false;
	int r = -ENOENT;

	if (!*flag_str(&c->f, "username") && !*flag_str(&c->f, "password") && auth_get_wait(c, registry, &auth, NULL) == 0 && auth.username &&
	    *auth.username) {
		cli_print(c, "Authenticating with existing credentials... [Username: %s]\n", auth.username);
		cli_flush(c);
		kept = true;
		r = api_json_wait(c, "POST", "/auth", T_docker_auth_config, &auth, T_docker_auth_ok, &ok, e);
	}
	if (!kept || (r < 0 && isatty(0))) {
		if ((r = credentials(c, registry, &auth, e)) < 0)
			return r;
		r = api_json_wait(c, "POST", "/auth", T_docker_auth_config, &auth, T_docker_auth_ok, &ok, e);
	}
	if (r < 0)
		return r;
	if (ok.identity_token && *ok.identity_token) {
		auth.password = "";
		auth.identitytoken = ok.identity_token;
	}
	if ((r = auth_store_wait(c, registry, &auth, &where, e)) < 0)
		return err_prefix(e, "Error saving credentials");
	if (!where && !kept)
		cli_warn(c,
			 "\nWARNING! Your credentials are stored unencrypted in '%s/config.json'.\nConfigure a credential helper to remove this "
			 "warning. See\nhttps://docs.docker.com/go/credential-store/\n",
			 config_dir(c));
	cli_print(c, "%s\n", ok.status && *ok.status ? ok.status : "Login Succeeded");
	return 0;
}

int cmd_logout(struct cli *c, struct err *e)
{
	const char *registry = registry_key(c, cli_arg(c, 0));
	bool had;
	int r = auth_erase_wait(c, registry, &had, e);

	if (r < 0)
		return r;
	cli_print(c, "Removing login credentials for %s\n", registry);
	return 0;
}
