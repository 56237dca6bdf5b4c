/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archives.h"
#include "commands.h"
#include "dns_name.h"
#include "figures.h"
#include "restore_claim.h"
#include "table.h"
#include "walk.h"

#define TOKEN_MAX 16384

static const char *const headings[] = {"ID", "NAMESPACE", "SET", "ORDINAL", "TEMPLATE", "SIZE",
	"AGE", "STATE", "NODE", "PATH", NULL};

/* The archives, and how to reach them. */
struct store_room {
	struct archives list;
	struct archives_access access;
	char *token;
};

static int check_token(const char *token, const char *where, struct error *err)
{
	for (const char *at = token; *at; at++)
		if (*at <= ' ' || *at > '~')
			return error_set(err, ERROR_INVALID,
				"%s: what is there is no token, it holds a space or a control "
				"character",
				where);
	if (!*token)
		return error_set(err, ERROR_INVALID, "%s is empty", where);
	return 0;
}

/* The first line of FILE, which is NULL where it could not be opened. */
static int read_token(FILE *file, const char *path, char **ret_token, struct error *err)
{
	char token[TOKEN_MAX + 1] = "";

	if (!file)
		return error_set_errno(err, errno, "--token-file=%s", path);
	if (fread(token, 1, TOKEN_MAX, file))
		token[strcspn(token, "\r\n")] = '\0';
	if (check_token(token, path, err) < 0)
		return -1;
	*ret_token = strdup(token);
	return *ret_token ? 0 : error_set_errno(err, ENOMEM, "%s", path);
}

static int read_token_file(const char *path, char **ret_token, struct error *err)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	return read_token(file, path, ret_token, err);
}

/* Of a file or the environment; NULL where there is none. That of the kubeconfig is for the API
 * server alone: whoever runs a pod that looks like the provisioner would get it. */
static int find_token(const struct arguments *arguments, char **ret_token, struct error *err)
{
	const char *given = getenv("ORDINAL_TOKEN");

	if (arguments->token_file)
		return read_token_file(arguments->token_file, ret_token, err);
	if (!given || !*given)
		return 0;
	if (check_token(given, "ORDINAL_TOKEN", err) < 0)
		return -1;
	*ret_token = strdup(given);
	return *ret_token ? 0 : error_set_errno(err, ENOMEM, "ORDINAL_TOKEN");
}

static int open_room(
	const struct command_context *context, struct store_room *room, struct error *err)
{
	if (find_token(context->arguments, &room->token, err) < 0)
		return -1;
	room->access = (struct archives_access){
		.api = &context->cluster->api,
		.namespace = context->arguments->provisioner_namespace,
		.token = room->token,
	};
	return archives_fetch(&room->list, &room->access, err);
}

static void close_room(struct store_room *room)
{
	archives_done(&room->list);
	free(room->token);
}

static bool is_shown(const struct command_context *context, const struct archive *archive)
{
	const char *namespace = context->arguments->namespace;

	return !namespace || (archive->namespace && !strcmp(archive->namespace, namespace));
}

static void add_row(
	const struct command_context *context, struct table *table, const struct archive *archive)
{
	char ordinal[24] = "", size[FIGURES_MAX], age[FIGURES_MAX];
	time_t created = figures_time(archive->created);

	if (archive->ordinal >= 0)
		snprintf(ordinal, sizeof(ordinal), "%" PRId64, archive->ordinal);
	figures_bytes(archive->size, size);
	figures_age(created < 0 ? -1 : context->now - created, age);
	table_add(table, archive->id);
	table_add(table, archive->namespace);
	table_add(table, archive->set);
	table_add(table, ordinal);
	table_add(table, archive->template);
	table_add(table, size);
	table_add(table, age);
	table_add_coloured(table, archive->ready ? "Ready" : "NotReady",
		archive->ready ? SCREEN_GREEN : SCREEN_YELLOW);
	table_add(table, archive->node);
	table_add(table, archive->path);
}

static void tell_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text ? json_object_new_string(text) : NULL);
}

static void tell_number(struct json_object *object, const char *key, int64_t number)
{
	json_object_object_add(object, key, number < 0 ? NULL : json_object_new_int64(number));
}

static struct json_object *archive_object(const struct archive *archive)
{
	struct json_object *object = json_object_new_object();

	tell_text(object, "id", archive->id);
	tell_text(object, "volume", archive->volume);
	tell_text(object, "namespace", archive->namespace);
	tell_text(object, "statefulset", archive->set);
	tell_text(object, "template", archive->template);
	tell_number(object, "ordinal", archive->ordinal);
	tell_number(object, "sizeBytes", archive->size);
	tell_text(object, "created", archive->created);
	json_object_object_add(object, "ready", json_object_new_boolean(archive->ready));
	tell_text(object, "path", archive->path);
	tell_text(object, "provisioner", archive->pod);
	tell_text(object, "node", archive->node);
	return object;
}

static void print_json(const struct command_context *context, const struct archives *list)
{
	struct json_object *all = json_object_new_object(), *items = json_object_new_array();

	json_object_object_add(all, "archives", items);
	for (size_t i = 0; i < list->count; i++)
		if (is_shown(context, &list->items[i]))
			json_object_array_add(items, archive_object(&list->items[i]));
	screen_write_json(&context->screen, all);
	json_object_put(all);
}

static void print_table(const struct command_context *context, const struct archives *list)
{
	_cleanup_(table_freep) struct table *table = table_new(headings);
	size_t shown = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!is_shown(context, &list->items[i]))
			continue;
		add_row(context, table, &list->items[i]);
		shown++;
	}
	if (shown)
		table_print(table, &context->screen);
	else
		fputs("There are no archives.\n", stderr);
}

int archive_command_list(const struct command_context *context, int *ret_code, struct error *err)
{
	struct store_room room = {.token = NULL};
	int result = open_room(context, &room, err);

	(void)ret_code;
	if (result == 0 && context->arguments->json)
		print_json(context, &room.list);
	else if (result == 0)
		print_table(context, &room.list);
	close_room(&room);
	return result;
}

/* The StatefulSet that the archive's claim belonged to; NULL where there is none any more. */
static int find_set(const struct command_context *context, const struct archive *archive,
	const char *namespace, struct json_object **ret_set, struct error *err)
{
	const struct kube_api *api = &context->cluster->api;
	_cleanup_free_ char *path = NULL;
	struct rest_request request = {.method = "GET"};

	*ret_set = NULL;
	if (!archive->set || !dns_name_is_subdomain(archive->set))
		return 0;
	if (asprintf(&path, "/apis/apps/v1/namespaces/%s/statefulsets/%s", namespace,
		    archive->set) < 0)
		abort();
	request.path = path;
	if (api->call(api->self, &request, ret_set, err) == 0)
		return 0;
	if (err->kind != ERROR_NOT_FOUND)
		return -1;
	*err = (struct error){.kind = ERROR_NONE};
	return 0;
}

/* Creating it is what finds out whether it is there: nothing can come between. */
static int create_claim(
	const struct command_context *context, struct json_object *claim, struct error *err)
{
	const struct kube_api *api = &context->cluster->api;
	const char *namespace = walk_text(claim, "metadata.namespace");
	_cleanup_free_ char *path = cluster_path("/api/v1", namespace, "persistentvolumeclaims");
	const struct rest_request request = {.method = "POST", .path = path, .body = claim};

	if (api->call(api->self, &request, NULL, err) == 0)
		return 0;
	if (err->kind != ERROR_ALREADY_EXISTS)
		return -1;
	return error_set(err, ERROR_ALREADY_EXISTS,
		"claim %s/%s exists, and is not touched: delete it first, or give the restored one "
		"another name with --claim",
		namespace, walk_text(claim, "metadata.name"));
}

static void say_created(const struct command_context *context, struct json_object *claim)
{
	const struct screen *screen = &context->screen;

	if (context->arguments->json) {
		screen_write_json(screen, claim);
		return;
	}
	fputs("persistentvolumeclaim/", screen->out);
	screen_write(screen, SCREEN_PLAIN, walk_text(claim, "metadata.name"));
	fputs(" created in namespace ", screen->out);
	screen_write(screen, SCREEN_PLAIN, walk_text(claim, "metadata.namespace"));
	fputs(", class ", screen->out);
	screen_write(screen, SCREEN_PLAIN, walk_text(claim, "spec.storageClassName"));
	fputs("\nIts events tell when the data are back: kubectl describe pvc\n", screen->out);
}

static int restore(
	const struct command_context *context, const struct store_room *room, struct error *err)
{
	const struct arguments *arguments = context->arguments;
	const struct archive *archive = archives_find(&room->list, arguments->operand, err);
	struct json_object *set = NULL, *claim = NULL;
	const char *namespace;
	int result;

	if (!archive)
		return -1;
	if (!archive->ready)
		return error_set(err, ERROR_FAILED_PRECONDITION,
			"the archive is not ready yet: try again when it is");
	namespace = arguments->namespace ? arguments->namespace
		    : archive->namespace ? archive->namespace
					 : context->cluster->namespace;
	if (!dns_name_is_label(namespace))
		return error_set(err, ERROR_INVALID, "give -n: the archive's namespace is no name");
	if (find_set(context, archive, namespace, &set, err) < 0)
		return -1;
	result = restore_claim_make(archive, arguments, namespace, set, &claim, err);
	if (result == 0)
		result = create_claim(context, claim, err);
	if (result == 0)
		say_created(context, claim);
	json_object_put(set);
	json_object_put(claim);
	return result;
}

int archive_command_restore(const struct command_context *context, int *ret_code, struct error *err)
{
	struct store_room room = {.token = NULL};
	int result = open_room(context, &room, err);

	(void)ret_code;
	if (result == 0)
		result = restore(context, &room, err);
	close_room(&room);
	return result;
}

/* Whether the user, who sees which archive it is, says yes. */
static int confirm(const struct archive *archive, struct error *err)
{
	const struct screen screen = screen_on(stderr);
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
		return error_set(err, ERROR_INVALID,
			"nobody can be asked here: give --yes to delete the archive for ever");
	fputs("Delete archive ", stderr);
	screen_write(&screen, SCREEN_BOLD, archive->id);
	fputs(" (", stderr);
	screen_write(&screen, SCREEN_PLAIN, archive->path ? archive->path : "its path is not told");
	fputs(") and its data for ever? [y/N] ", stderr);
	fflush(stderr);
	if (!fgets(answer, sizeof(answer), stdin) ||
		(strcmp(answer, "y\n") && strcmp(answer, "yes\n")))
		return error_set(err, ERROR_CANCELLED, "nothing was deleted");
	return 0;
}

static int remove_one(
	const struct command_context *context, const struct store_room *room, struct error *err)
{
	const struct archive *archive =
		archives_find(&room->list, context->arguments->operand, err);

	if (!archive || (!context->arguments->yes && confirm(archive, err) < 0))
		return -1;
	if (archives_delete(archive, &room->access, err) < 0)
		return -1;
	if (context->arguments->json) {
		struct json_object *object = archive_object(archive);

		screen_write_json(&context->screen, object);
		json_object_put(object);
		return 0;
	}
	fputs("archive ", context->screen.out);
	screen_write(&context->screen, SCREEN_PLAIN, archive->id);
	fputs(" deleted\n", context->screen.out);
	return 0;
}

int archive_command_remove(const struct command_context *context, int *ret_code, struct error *err)
{
	struct store_room room = {.token = NULL};
	int result = open_room(context, &room, err);

	(void)ret_code;
	if (result == 0)
		result = remove_one(context, &room, err);
	close_room(&room);
	return result;
}
