/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over files and folders without libFuzzer; prints how many inputs it ran. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	AUTO(buf) struct buf b = BUF_INIT(64 << 20);
	if (file_read(AT_FDCWD, path, &b) < 0) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	/* a copy of exactly this size, so that a sanitizer sees reads past the end */
	uint8_t *p = malloc(b.len ? b.len : 1);
	if (b.len)
		memcpy(p, b.ptr, b.len);
	LLVMFuzzerTestOneInput(p, b.len);
	free(p);
	return 1;
}

static int run_path(const char *path)
{
	struct stat st;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return run_file(path);
	DIR *d = opendir(path);
	int n = 0;
	for (struct dirent *x; d && (x = readdir(d));) {
		char p[4096];
		if (x->d_name[0] != '.' && fmt_into(p, sizeof p, "%s/%s", path, x->d_name))
			n += run_path(p);
	}
	if (d)
		closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = 0;
	LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		n += run_path(argv[i]);
	printf("%d inputs\n", n);
	return 0;
}
