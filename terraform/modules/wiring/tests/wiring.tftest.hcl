# `terraform init && terraform test` in this folder: no provider, no account, no network.

variables {
  pipeline = {
    topics  = { uploads = "uploads", results = "results", dead = "steps-dead" }
    filters = { results = "attributes:webhook" }
    functions = {
      probe    = { consumes = ["uploads"], steps = [], machine = "cpu" }
      detect   = { consumes = ["steps-detect"], steps = ["detect.hits"], machine = "cpu", timeout_s = 3600 }
      separate = { consumes = ["steps-separate"], steps = ["separate.stems"], machine = "gpu", timeout_s = 600 }
      novel    = { consumes = ["steps-novel"], steps = ["novel.idea"], machine = "cpu", timeout_s = 300 }
      sweep    = { consumes = ["steps-dead"], steps = [], machine = "cpu" }
      api      = { consumes = [], steps = [], machine = "cpu" }
      webhooks = { consumes = ["results"], steps = [], machine = "cpu" }
    }
  }
}

run "each_consumed_topic_has_one_subscription" {
  assert {
    condition = output.subscriptions == {
      uploads        = { function = "probe", dead_letter = true, filter = "" }
      results        = { function = "webhooks", dead_letter = true, filter = "attributes:webhook" }
      steps-dead     = { function = "sweep", dead_letter = false, filter = "" }
      steps-detect   = { function = "detect", dead_letter = true, filter = "" }
      steps-novel    = { function = "novel", dead_letter = true, filter = "" }
      steps-separate = { function = "separate", dead_letter = true, filter = "" }
    }
    error_message = "Subscriptions differ from what the table says."
  }
}

run "a_gpu_function_gets_what_cloud_run_demands" {
  assert {
    condition     = output.functions.separate.gpu && output.functions.separate.cpu >= 4 && output.functions.separate.memory_gib >= 16
    error_message = "An L4 needs 4 CPUs and 16 GiB."
  }
  assert {
    condition     = output.functions.separate.cpu_always && output.functions.separate.concurrency == 1 && output.functions.separate.min_instances == 0
    error_message = "A GPU function keeps its CPU, takes one request at a time and scales to zero."
  }
}

run "a_function_that_nobody_sized_gets_the_defaults" {
  assert {
    condition     = output.functions.novel.cpu == 2 && output.functions.novel.concurrency == 1 && output.functions.novel.timeout_s == 600 && !output.functions.novel.cpu_always
    error_message = "A new function must deploy without a line here."
  }
}

run "work_that_outlasts_a_push_keeps_its_cpu" {
  assert {
    condition     = output.functions.detect.timeout_s == 3600 && output.functions.detect.cpu_always
    error_message = "A step of an hour needs a request of an hour, and CPU after the push hung up."
  }
}

run "publishers_are_those_who_move_runs_on" {
  assert {
    condition     = output.publishers["steps-detect"] == tolist(["api", "detect", "novel", "probe", "separate", "sweep"])
    error_message = "Webhooks ask for no steps; all others may."
  }
  assert {
    condition     = output.publishers.uploads == tolist(["api", "sweep"])
    error_message = "Beside the bucket, only the sweep and the API announce uploads."
  }
  assert {
    condition     = contains(output.publishers.steps-dead, "webhooks")
    error_message = "Everyone may bury what can never succeed."
  }
}

run "sizes_are_overridden_one_by_one" {
  variables {
    sizes = { detect = { max_instances = 3 }, novel = { gpu = true } }
  }
  assert {
    condition     = output.functions.detect.max_instances == 3 && output.functions.detect.cpu == 2
    error_message = "What is not overridden stays."
  }
  assert {
    condition     = output.functions.novel.gpu && output.functions.novel.cpu == 4
    error_message = "Any function can be put on a GPU."
  }
}

run "a_size_for_nobody_is_refused" {
  command = plan
  variables {
    sizes = { detekt = { max_instances = 3 } }
  }
  expect_failures = [var.sizes]
}

run "two_consumers_of_one_topic_are_refused" {
  command = plan
  variables {
    pipeline = {
      topics = { uploads = "uploads", results = "results", dead = "steps-dead" }
      functions = {
        probe  = { consumes = ["uploads"], steps = [], machine = "cpu" }
        detect = { consumes = ["uploads"], steps = ["detect.hits"], machine = "cpu" }
      }
    }
  }
  expect_failures = [output.subscriptions]
}

run "files_of_the_usual_size_need_no_disk" {
  assert {
    condition     = alltrue([for size in values(output.functions) : size.disk_gib == 0])
    error_message = "A disk costs its start on every instance."
  }
}

run "large_files_lie_on_a_disk_wherever_they_are_fetched" {
  variables {
    max_input_bytes = 20000000000
  }
  assert {
    condition     = alltrue([for name in ["probe", "detect", "separate", "novel", "api"] : output.functions[name].disk_gib == 56])
    error_message = "Three times 20 GB, in GiB."
  }
  assert {
    condition     = output.functions.sweep.disk_gib == 0 && output.functions.webhooks.disk_gib == 0
    error_message = "Who fetches no recording needs no disk."
  }
}
