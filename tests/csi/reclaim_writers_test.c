/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who works on a base: one process of several, in bases within bases, with many threads.
 */
#include "scene.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base_check.h"

#define PLACE    "shop/web/data-0"
#define ONE_BASE "an export has no bases below it"

/* Not on the stack: a check that fails leaves the thread behind. */
static struct volumes *start(struct fixture *fixture)
{
	struct volumes *volumes = calloc(1, sizeof(*volumes));

	assert_non_null(volumes);
	scene_start(fixture, volumes);
	return volumes;
}

static void stop(struct volumes *volumes)
{
	volumes_stop(volumes);
	free(volumes);
}

/* A driver in a process of its own, which does PREPARE and then lives until it is killed. */
static pid_t spawn(struct fixture *fixture, int (*prepare)(struct volumes *volumes, char *base))
{
	_cleanup_close_ int reader = -1;
	char ready = 0;
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		static struct volumes volumes;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		scene_start(fixture, &volumes);
		ready = prepare(&volumes, fixture->root) == 0;
		if (write(ends[1], &ready, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	reader = ends[0];
	assert_int_equal(read(reader, &ready, 1), 1);
	assert_true(ready);
	return child;
}

static void end(pid_t child)
{
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
}

static const struct wish live = {.name = "pvc-1"};
static const struct wish left = {.name = "pvc-2", .ordinal = "1", .on_delete = ON_DELETE_ARCHIVE};
static const struct wish kept = {.name = "pvc-3", .ordinal = "2", .on_delete = ON_DELETE_RETAIN};

static int write_content(const char *base, const char *path, const char *text)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_fclose_ FILE *stream = NULL;

	if (asprintf(&file, "%s/%s/content", base, path) < 0)
		abort();
	stream = fopen(file, "w");
	return stream && fputs(text, stream) >= 0 ? 0 : -1;
}

static int make_three(struct volumes *volumes, char *base)
{
	const struct wish *const wishes[] = {&live, &left, &kept};

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		char path[8192];
		struct error err;

		if (scene_try(volumes, wishes[i], path, &err) < 0 ||
			write_content(base, path, wishes[i]->name) < 0 ||
			(i && scene_try_delete(volumes, wishes[i], &err) < 0))
			return -1;
	}
	return 0;
}

static void expect_unavailable(struct volumes *volumes)
{
	struct volume_size size = {8192, 0};
	struct wish new = {.name = "pvc-9", .ordinal = "9"};
	int64_t capacity;
	struct error err;

	assert_int_equal(scene_try(volumes, &new, NULL, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(scene_try_delete(volumes, &live, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(
		volumes_expand(volumes, scene_id(volumes, &live), &size, NULL, &capacity, &err),
		-1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	assert_int_equal(
		volumes_modify(volumes, scene_id(volumes, &live), ON_DELETE_RETAIN, NULL, &err),
		-1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
}

static size_t count_listed(struct volumes *volumes)
{
	struct volume_page page;
	struct error err;
	size_t count;

	if (volumes_list(volumes, "", 100, &page, &err) < 0)
		fail_msg("%s", err.text);
	count = page.count;
	volume_page_done(&page);
	return count;
}

static void expect_found(struct volumes *volumes, const struct wish *wish)
{
	struct volume volume;
	struct error err;

	if (volumes_find(volumes, scene_id(volumes, wish), &volume, &err) < 0)
		fail_msg("%s", err.text);
	volume_done(&volume);
}

static void test_two_drivers(void **state)
{
	struct fixture *fixture = *state;
	pid_t first = spawn(fixture, make_three);
	struct volumes *volumes = start(fixture);
	struct wish taker = left, beside = kept;

	expect_unavailable(volumes);
	expect_found(volumes, &live);
	assert_int_equal(count_listed(volumes), 1);
	end(first);
	taker.name = "pvc-4";
	taker.reuse = true;
	assert_string_equal(scene_create(volumes, &taker), "shop/web/data-1");
	assert_string_equal(base_find(fixture->root, "pvc-2"), "shop/web/data-1");
	beside.name = "pvc-5";
	assert_string_equal(scene_create(volumes, &beside), "shop/web/data-2@pvc-5");
	scene_delete(volumes, &live);
	stop(volumes);
	base_check(fixture->root, &(struct base_check){.records = 3});
}

/* The first one starts again while the second has the base: it is the second's. */
static void test_lock_moves(void **state)
{
	struct fixture *fixture = *state;
	pid_t first = spawn(fixture, make_three), second;
	struct volumes *volumes;

	end(first);
	second = spawn(fixture, make_three);
	volumes = start(fixture);
	expect_unavailable(volumes);
	end(second);
	scene_delete(volumes, &live);
	stop(volumes);
	base_check(fixture->root, &(struct base_check){.records = (size_t)-1});
}

/* The first one goes on, and does not know that its lock is another one's: it changes nothing, and
 * has the base again when that has ended. */
static void test_lock_is_lost(void **state)
{
	struct fixture *fixture = *state;
	struct volumes *volumes = start(fixture);
	struct wish mine = {.name = "pvc-8", .ordinal = "8"};
	struct error err;
	pid_t second;

	scene_create(volumes, &mine);
	assert_int_equal(unlink(fixture_path(fixture, "root/.ordinal/lock")), 0);
	second = spawn(fixture, make_three);
	for (int i = 0; i < 2; i++)
		expect_unavailable(volumes);
	assert_int_equal(scene_try_delete(volumes, &mine, &err), -1);
	assert_int_equal(err.kind, ERROR_UNAVAILABLE);
	end(second);
	scene_delete(volumes, &mine);
	scene_delete(volumes, &live);
	stop(volumes);
	base_check(fixture->root, &(struct base_check){.records = 2});
}

/* Delete WISH once the one who has the base gives way. */
static void delete_in_turn(struct volumes *volumes, const struct wish *wish)
{
	struct error err;

	for (int i = 0; scene_try_delete(volumes, wish, &err) < 0; i++) {
		if (err.kind != ERROR_UNAVAILABLE || i == 1200)
			fail_msg("%s", err.text);
		usleep(100000);
	}
}

/* The first one lives on, and is not called any more: who asks for the base gets it, and gives it
 * back in turn. Each sees what the other did. */
static void test_gives_way(void **state)
{
	struct fixture *fixture = *state;
	pid_t first = spawn(fixture, make_three);
	struct volumes *volumes = start(fixture), *other;
	struct wish mine = {.name = "pvc-8", .ordinal = "8"}, same = mine;

	expect_unavailable(volumes);
	delete_in_turn(volumes, &live);
	assert_int_equal(kill(first, 0), 0);
	end(first);
	scene_create(volumes, &mine);
	other = start(fixture);
	expect_unavailable(other);
	delete_in_turn(other, &mine);
	same.name = "pvc-9";
	assert_string_equal(scene_create(other, &same), "shop/web/data-8");
	delete_in_turn(volumes, &live);
	same.name = "pvc-10"; /* its place is taken */
	assert_string_equal(scene_create(volumes, &same), "shop/web/data-8@pvc-10");
	scene_delete(volumes, &same);
	same.name = "pvc-9";
	scene_delete(volumes, &same);
	stop(other);
	stop(volumes);
	base_check(fixture->root, &(struct base_check){.records = 2});
}

/* A base below the root. */

static char *nested_base(const struct fixture *fixture)
{
	char *base;

	assert_true(asprintf(&base, "%s/tier/fast", fixture->root) > 0);
	return base;
}

static struct wish nested_wish(const char *base)
{
	return (struct wish){.name = "pvc-n", .base = base, .on_delete = ON_DELETE_ARCHIVE};
}

/* As a crash right after the intent to delete leaves it: data in the trash, or a record that says
 * that they are archived. */
static void interrupt_deletion(const struct fixture *fixture, const char *base)
{
	_cleanup_free_ char *trash = NULL;

	(void)fixture;
	assert_true(asprintf(&trash, "%s/.ordinal/trash/aaaaaaaaaaaaaaaaaaaaaa", base) > 0);
	assert_int_equal(mkdir(trash, 0700), 0);
}

static void test_nested_base(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *base = nested_base(fixture);
	struct wish nested = nested_wish(base);
	struct volumes *volumes = start(fixture);
	struct wish above = {.name = "pvc-7", .pattern = "tier"};
	struct wish inside = {.name = "pvc-8", .pattern = "tier/fast/x"};
	struct error err;

	scene_fill(volumes, &nested, "nested");
	scene_fill(volumes, &live, "live");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(count_listed(volumes), 2);
		assert_int_equal(scene_try(volumes, &above, NULL, &err), -1);
		assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
		assert_int_equal(scene_try(volumes, &inside, NULL, &err), -1);
		assert_int_equal(err.kind, ERROR_FAILED_PRECONDITION);
		stop(volumes);
		base_check(fixture->root, &(struct base_check){.records = 1});
		interrupt_deletion(fixture, base);
		/* Without any call. */
		volumes = start(fixture);
		base_check(fixture->root, &(struct base_check){.records = 1});
	}
	scene_delete(volumes, &nested);
	stop(volumes);
	base_check(fixture->root, &(struct base_check){.records = 1});
}

static int make_nested(struct volumes *volumes, char *base)
{
	_cleanup_free_ char *below = NULL;
	struct wish nested;
	struct error err;

	if (asprintf(&below, "%s/tier/fast", base) < 0)
		abort();
	nested = nested_wish(below);
	return scene_try(volumes, &live, NULL, &err) < 0 ? -1
							 : scene_try(volumes, &nested, NULL, &err);
}

/* Whoever takes the root over takes what lies below it too. */
static void test_nested_base_is_taken_over(void **state)
{
	struct fixture *fixture = *state;
	_cleanup_free_ char *base = nested_base(fixture);
	pid_t first = spawn(fixture, make_nested);
	struct volumes *volumes = start(fixture);
	struct error err;

	assert_int_equal(scene_try_delete(volumes, &live, &err), -1);
	end(first);
	interrupt_deletion(fixture, base);
	scene_delete(volumes, &live);
	assert_int_equal(count_listed(volumes), 1);
	trash_wait(&volumes->trash);
	base_check(fixture->root, &(struct base_check){.records = 0});
	stop(volumes);
}

/* Many threads. */

#define ROUNDS fixture_fewer(30)

struct worker {
	struct fixture *fixture;
	struct volumes *volumes;
	pthread_t thread;
	int number, ordinal;
	enum on_delete on_delete;
	bool reuse;
	struct error err;
};

static int make_one(struct worker *worker, const struct wish *wish)
{
	while (scene_try(worker->volumes, wish, NULL, &worker->err) < 0)
		if (!scene_is_busy(&worker->err))
			return -1;
	return 0;
}

static int remove_one(struct worker *worker, const struct wish *wish)
{
	char text[VOLUME_ID_MAX + 1];

	fixture_id(worker->fixture, wish->name, text);
	while (volumes_delete(worker->volumes, text, NULL, &worker->err) < 0)
		if (!scene_is_busy(&worker->err))
			return -1;
	return 0;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	char ordinal[16], name[32];
	struct wish wish = {.name = name, .ordinal = ordinal};

	snprintf(ordinal, sizeof(ordinal), "%d", worker->ordinal);
	for (int i = 0; i < (int)ROUNDS; i++) {
		snprintf(name, sizeof(name), "pvc-%d-%d", worker->number, i);
		wish.on_delete = (enum on_delete)((i + worker->number) % 3);
		wish.reuse = i % 2;
		if (make_one(worker, &wish) < 0 || remove_one(worker, &wish) < 0)
			return NULL;
	}
	worker->err.kind = ERROR_NONE;
	return NULL;
}

static void test_many_threads(void **state)
{
	struct fixture *fixture = *state;
	struct volumes *volumes = start(fixture);
	struct worker workers[16] = {0};

	for (int i = 0; i < 16; i++) {
		workers[i].fixture = fixture;
		workers[i].volumes = volumes;
		workers[i].number = i;
		workers[i].ordinal = i / 2; /* two at a time want the same place */
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < 16; i++)
		pthread_join(workers[i].thread, NULL);
	for (int i = 0; i < 16; i++)
		if (workers[i].err.kind != ERROR_NONE)
			fail_msg("%s: %s", error_kind_name(workers[i].err.kind),
				workers[i].err.text);
	trash_wait(&volumes->trash);
	base_check(fixture->root, &(struct base_check){.records = (size_t)-1});
	stop(volumes);
	volumes = start(fixture);
	base_check(fixture->root, &(struct base_check){.records = (size_t)-1});
	stop(volumes);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_scratch, fixture_done)
	const struct CMUnitTest tests[] = {
		TEST(test_two_drivers),
		TEST(test_lock_moves),
		TEST(test_lock_is_lost),
		FIXTURE_ONLY(test_gives_way, fixture_scratch, FIXTURE_NFS,
			"a host path has one driver: that of its node"),
		FIXTURE_ONLY(test_nested_base, fixture_scratch, FIXTURE_HOSTPATH, ONE_BASE),
		FIXTURE_ONLY(test_nested_base_is_taken_over, fixture_scratch, FIXTURE_HOSTPATH,
			ONE_BASE),
		TEST(test_many_threads),
	};

	return fixture_run(tests, ARRAY_SIZE(tests));
}
