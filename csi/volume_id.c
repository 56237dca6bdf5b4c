/* SPDX-License-Identifier: Apache-2.0 */
#include "volume_id.h"

#include <sha2.h>
#include <stdio.h>
#include <string.h>

#include "beneath.h"

#define VERSION          "1:"
#define SNAPSHOT_VERSION "a:" /* as long: what fits the one fits the other */

/* No share has it: its components are not empty. */
#define OPTIONS_MARK "//"

static const char base64url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

bool volume_hash_equal(const struct volume_hash *a, const struct volume_hash *b)
{
	return !strcmp(a->text, b->text);
}

void volume_id_hash(const char *name, struct volume_hash *ret_hash)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	SHA2_CTX context;

	SHA256Init(&context);
	SHA256Update(&context, (const uint8_t *)name, strlen(name));
	SHA256Final(digest, &context);
	for (unsigned i = 0; i < VOLUME_HASH_LENGTH; i++) {
		unsigned bit = i * 6;
		unsigned pair = (unsigned)digest[bit / 8] << 8 | digest[bit / 8 + 1];

		ret_hash->text[i] = base64url[pair >> (10 - bit % 8) & 0x3f];
	}
	ret_hash->text[VOLUME_HASH_LENGTH] = '\0';
}

int volume_id_format(
	const struct volume_id *id, char ret_text[VOLUME_ID_MAX + 1], struct error *err)
{
	int length;

	if (strstr(id->server, ":/"))
		return error_set(err, ERROR_INVALID, "server \"%s\" holds \":/\"", id->server);
	length = snprintf(ret_text, VOLUME_ID_MAX + 1, VERSION "%s:%s:%s%s%s", id->hash.text,
		id->server, id->share, *id->options ? OPTIONS_MARK : "", id->options);
	if (length <= VOLUME_ID_MAX)
		return 0;
	if (*id->options)
		return error_set(err, ERROR_INVALID,
			"server, share and the mount options by which it is reached (%s) are %d "
			"bytes too long for a volume id: choose shorter ones",
			id->options, length - VOLUME_ID_MAX);
	return error_set(err, ERROR_INVALID,
		"\"%s\" is %d bytes too long for a volume id: choose a shorter path", id->share,
		length - VOLUME_ID_MAX);
}

/* Whether TEXT is what mount_options_reaching() makes: nothing else gets to mount.nfs. */
static bool is_reaching(const char *text)
{
	struct mount_options options = {0};
	char reaching[MOUNT_OPTIONS_MAX + 1];

	if (!*text || mount_options_add_nfs(text, &options, NULL) < 0)
		return false;
	mount_options_reaching(options.text, reaching);
	return !strcmp(reaching, text);
}

int volume_id_format_snapshot(
	const struct volume_id *id, char ret_text[VOLUME_ID_MAX + 1], struct error *err)
{
	if (volume_id_format(id, ret_text, err) < 0)
		return -1;
	memcpy(ret_text, SNAPSHOT_VERSION, strlen(SNAPSHOT_VERSION));
	return 0;
}

static bool has_version(const char *text, const char *version)
{
	return !strncmp(text, version, strlen(version));
}

bool volume_id_is_snapshot(const char *text)
{
	return has_version(text, SNAPSHOT_VERSION);
}

static int refuse(const char *what, const char *text, struct error *err)
{
	return error_set(err, ERROR_NOT_FOUND, "%s \"%s\" does not exist: this is no id of ours",
		what, text);
}

/* Read what follows the version. */
static int parse(const char *what, const char *text, struct volume_id *ret_id, struct error *err)
{
	const char *hash = text + strlen(VERSION), *server = hash + VOLUME_HASH_LENGTH + 1, *share;
	const char *mark;
	struct volume_id id = {0};

	if (strlen(text) > VOLUME_ID_MAX || strspn(hash, base64url) != VOLUME_HASH_LENGTH ||
		hash[VOLUME_HASH_LENGTH] != ':')
		return refuse(what, text, err);
	share = *server == ':' ? server : strstr(server, ":/"); /* an IPv6 address has colons */
	if (!share || share[1] != '/')
		return refuse(what, text, err);
	mark = strstr(share + 2, OPTIONS_MARK);
	if (mark && !is_reaching(mark + strlen(OPTIONS_MARK)))
		return refuse(what, text, err);
	memcpy(id.hash.text, hash, VOLUME_HASH_LENGTH);
	memcpy(id.server, server, (size_t)(share - server));
	share++;
	memcpy(id.share, share, mark ? (size_t)(mark - share) : strlen(share));
	strcpy(id.options, mark ? mark + strlen(OPTIONS_MARK) : "");
	/* Another spelling would open its base a second time. */
	if (id.share[1] && beneath_check_path(id.share + 1, NULL) < 0)
		return refuse(what, text, err);
	*ret_id = id;
	return 0;
}

int volume_id_parse(const char *text, struct volume_id *ret_id, struct error *err)
{
	if (!has_version(text, VERSION))
		return refuse("volume", text, err);
	return parse("volume", text, ret_id, err);
}

int volume_id_parse_snapshot(const char *text, struct volume_id *ret_id, struct error *err)
{
	if (!has_version(text, SNAPSHOT_VERSION))
		return refuse("snapshot", text, err);
	return parse("snapshot", text, ret_id, err);
}
