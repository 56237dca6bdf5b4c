/* SPDX-License-Identifier: Apache-2.0 */
#include "exec_credential.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>

#define TIMEOUT_MS 60000
#define OUTPUT_MAX (1024 * 1024)
#define ERRORS_MAX 400 /* of its standard error are quoted; the rest is read and dropped */
#define INFO_NAME  "KUBERNETES_EXEC_INFO"

/* What comes out of one of its two pipes. */
struct output {
	int fd; /* -1: at its end */
	char *text;
	size_t length, max;
	bool cut; /* there was more than MAX */
};

/* The program while it runs. */
struct child {
	pid_t pid;
	int pidfd;
	struct output out, errors;
};

void exec_plugin_free(struct exec_plugin *plugin)
{
	if (!plugin)
		return;
	for (size_t i = 0; i < plugin->args.count; i++)
		free(plugin->args.items[i]);
	free(plugin->args.items);
	string_map_done(&plugin->env);
	free(plugin->api_version);
	free(plugin->command);
	free(plugin->install_hint);
	free(plugin->cluster);
	free(plugin);
}

void exec_credential_done(struct exec_credential *credential)
{
	free(credential->token);
	free(credential->certificate);
	free(credential->key);
	*credential = (struct exec_credential){.token = NULL};
}

/* The input of the protocol, as the value of an environment variable. Caller frees. */
static char *make_info(const struct exec_plugin *plugin)
{
	char *text;

	if (asprintf(&text,
		    INFO_NAME "={\"kind\":\"ExecCredential\",\"apiVersion\":\"%s\",\"spec\":"
			      "{\"interactive\":false%s%s}}",
		    plugin->api_version, plugin->cluster ? ",\"cluster\":" : "",
		    plugin->cluster ? plugin->cluster : "") < 0)
		abort();
	return text;
}

static bool is_replaced(const struct exec_plugin *plugin, const char *entry)
{
	size_t length = strcspn(entry, "=");
	_cleanup_free_ char *name = strndup(entry, length);

	if (!name)
		abort();
	return !strcmp(name, INFO_NAME) || string_map_get(&plugin->env, name);
}

/* Our environment, with what the plugin's replaces and adds. Caller frees with free_list(). */
static char **make_environment(const struct exec_plugin *plugin)
{
	size_t count = 0, used = 0;
	char **list;

	while (environ[count])
		count++;
	list = calloc(count + plugin->env.count + 2, sizeof(*list));
	if (!list)
		abort();
	list[used++] = make_info(plugin);
	for (size_t i = 0; i < plugin->env.count; i++, used++)
		if (asprintf(&list[used], "%s=%s", plugin->env.items[i].key,
			    plugin->env.items[i].value) < 0)
			abort();
	for (size_t i = 0; i < count; i++) {
		if (is_replaced(plugin, environ[i]))
			continue;
		list[used] = strdup(environ[i]);
		if (!list[used++])
			abort();
	}
	return list;
}

static void free_list(char **list)
{
	for (size_t i = 0; list[i]; i++)
		free(list[i]);
	free(list);
}

/* We block and ignore signals that it may count on; and what it starts ends with it. */
static void set_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawnattr_init(attributes);
	posix_spawnattr_setsigmask(attributes, &none);
	posix_spawnattr_setsigdefault(attributes, &defaults);
	posix_spawnattr_setpgroup(attributes, 0);
	posix_spawnattr_setflags(
		attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* Start it with these pipes; an errno, or 0. */
static int spawn(const struct exec_plugin *plugin, int out, int errors, pid_t *ret_pid)
{
	_cleanup_free_ char **arguments = calloc(plugin->args.count + 2, sizeof(char *));
	char **environment = make_environment(plugin);
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int result;

	if (!arguments)
		abort();
	arguments[0] = plugin->command;
	for (size_t i = 0; i < plugin->args.count; i++)
		arguments[i + 1] = plugin->args.items[i];
	set_attributes(&attributes);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
	result = posix_spawnp(
		ret_pid, plugin->command, &actions, &attributes, arguments, environment);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	free_list(environment);
	return result;
}

static void output_init(struct output *output, int fd, size_t max)
{
	*output = (struct output){.fd = fd, .text = calloc(1, max + 1), .max = max};
	if (!output->text)
		abort();
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void output_done(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	free(output->text);
}

/* Take what is there now. */
static void output_read(struct output *output)
{
	char bytes[4096];
	ssize_t got;

	while (output->fd >= 0 && (got = read(output->fd, bytes, sizeof(bytes))) >= 0) {
		size_t room = output->max - output->length;
		size_t taken = (size_t)got < room ? (size_t)got : room;

		if (got == 0) {
			close(output->fd);
			output->fd = -1;
		}
		memcpy(output->text + output->length, bytes, taken);
		output->length += taken;
		output->cut |= taken < (size_t)got;
		if (output->cut)
			return; /* it may write for ever */
	}
}

static int64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Read until it ends. What it leaves running in the background is not waited for. */
static int await_end(struct child *child, int timeout_ms, struct error *err)
{
	int64_t deadline = monotonic_ms() + timeout_ms, left = timeout_ms;
	struct pollfd fds[3] = {{.fd = child->pidfd, .events = POLLIN}};

	while (left > 0) {
		fds[1] = (struct pollfd){child->out.fd, POLLIN, 0};
		fds[2] = (struct pollfd){child->errors.fd, POLLIN, 0};
		poll(fds, ARRAY_SIZE(fds), (int)left);
		output_read(&child->out);
		output_read(&child->errors);
		if (child->out.cut)
			return error_set(err, ERROR_INVALID, "it printed more than %zu bytes",
				child->out.max);
		if (fds[0].revents)
			return 0;
		left = deadline - monotonic_ms();
	}
	return error_set(
		err, ERROR_TIMEOUT, "it did not end within %.1f s", (double)timeout_ms / 1000);
}

/* How it ended; with what it said itself. */
static int check_status(const struct child *child, int status, struct error *err)
{
	const char *said = child->errors.length ? child->errors.text : "it said nothing";

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFEXITED(status))
		return error_set(err, ERROR_UNAVAILABLE, "it failed with exit code %d: %s",
			WEXITSTATUS(status), said);
	return error_set(
		err, ERROR_UNAVAILABLE, "it ended by signal %d: %s", WTERMSIG(status), said);
}

static int run_child(struct child *child, int timeout_ms, struct error *err)
{
	int status = 0, result;

	child->pidfd = pidfd_open(child->pid, 0);
	if (child->pidfd < 0)
		result = error_set_errno(err, errno, "pidfd_open");
	else
		result = await_end(child, timeout_ms, err);
	/* All of its group, which cannot be another's before it is waited for. */
	if (result < 0)
		kill(-child->pid, SIGKILL);
	waitpid(child->pid, &status, 0);
	if (child->pidfd >= 0)
		close(child->pidfd);
	if (result < 0 && err && child->errors.length) {
		struct error why = *err;

		return error_set(err, why.kind, "%s: %s", why.text, child->errors.text);
	}
	return result < 0 ? -1 : check_status(child, status, err);
}

/* "2026-01-02T03:04:05Z", with a fraction or an offset where it has one; -1: something else. */
static int64_t read_time(const char *text)
{
	struct tm tm = {.tm_year = 0};
	const char *at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int hours, minutes, sign;

	if (at && *at == '.')
		at += 1 + strspn(at + 1, "0123456789");
	if (at && !strcmp(at, "Z"))
		return timegm(&tm);
	if (!at || (*at != '+' && *at != '-') || strlen(at) != 6 ||
		sscanf(at + 1, "%2d:%2d", &hours, &minutes) != 2)
		return -1;
	sign = *at == '-' ? -1 : 1;
	return timegm(&tm) - sign * (hours * 3600 + minutes * 60);
}

static char *take_text(struct json_object *status, const char *key)
{
	const char *text = json_string(status, key);
	char *made = text && *text ? strdup(text) : NULL;

	if (text && *text && !made)
		abort();
	return made;
}

static int read_status(
	struct json_object *status, struct exec_credential *credential, struct error *err)
{
	const char *expires = json_string(status, "expirationTimestamp");

	credential->expires = expires ? read_time(expires) : 0;
	if (credential->expires < 0)
		return error_set(err, ERROR_INVALID,
			"its expirationTimestamp \"%.64s\" is not a time", expires);
	credential->token = take_text(status, "token");
	if (credential->token && strpbrk(credential->token, "\r\n"))
		return error_set(err, ERROR_INVALID, "its token holds a line end");
	credential->certificate = take_text(status, "clientCertificateData");
	credential->key = take_text(status, "clientKeyData");
	if (!credential->certificate != !credential->key)
		return error_set(err, ERROR_INVALID,
			"it gave a clientCertificateData or a clientKeyData without the other");
	if (!credential->token && !credential->certificate)
		return error_set(
			err, ERROR_INVALID, "it gave neither a token nor a client certificate");
	return 0;
}

static int read_output(const struct exec_plugin *plugin, const char *text,
	struct exec_credential *credential, struct error *err)
{
	struct json_tokener *tokener = json_tokener_new_ex(16);
	struct json_object *json;
	const char *kind, *version;
	int result;

	if (!tokener)
		abort();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	json = json_tokener_parse_ex(tokener, text, -1);
	kind = json_string(json, "kind");
	version = json_string(json, "apiVersion");
	if (!kind || strcmp(kind, "ExecCredential"))
		result = error_set(err, ERROR_INVALID, "it did not print an ExecCredential");
	else if (!version || strcmp(version, plugin->api_version))
		result = error_set(err, ERROR_INVALID,
			"it printed an ExecCredential of %.64s, where the kubeconfig says %s",
			version ? version : "no apiVersion", plugin->api_version);
	else
		result =
			read_status(json_member(json, "status", json_type_object), credential, err);
	json_object_put(json);
	json_tokener_free(tokener);
	return result;
}

static int run_plugin(
	const struct exec_plugin *plugin, struct exec_credential *credential, struct error *err)
{
	int out[2], errors[2], result, failure;
	struct child child;

	if (pipe2(out, O_CLOEXEC) < 0)
		return error_set_errno(err, errno, "pipe");
	if (pipe2(errors, O_CLOEXEC) < 0) {
		failure = errno;
		close(out[0]);
		close(out[1]);
		return error_set_errno(err, failure, "pipe");
	}
	failure = spawn(plugin, out[1], errors[1], &child.pid);
	close(out[1]);
	close(errors[1]);
	output_init(&child.out, out[0], OUTPUT_MAX);
	output_init(&child.errors, errors[0], ERRORS_MAX);
	if (failure)
		result = error_set(err, ERROR_UNAVAILABLE, "%s%s%s", strerrordesc_np(failure),
			plugin->install_hint ? ": " : "",
			plugin->install_hint ? plugin->install_hint : "");
	else
		result = run_child(
			&child, plugin->timeout_ms ? plugin->timeout_ms : TIMEOUT_MS, err);
	if (result == 0)
		result = read_output(plugin, child.out.text, credential, err);
	output_done(&child.out);
	output_done(&child.errors);
	return result;
}

int exec_credential_run(
	const struct exec_plugin *plugin, struct exec_credential *ret_credential, struct error *err)
{
	struct exec_credential credential = {.token = NULL};

	if (run_plugin(plugin, &credential, err) < 0) {
		exec_credential_done(&credential);
		return error_prefix(err, "credential plug-in %s", plugin->command);
	}
	*ret_credential = credential;
	return 0;
}
