# What follows from the pipeline table, and nothing else: no provider is needed to test it.
#
# A file that a function fetches lies in memory on Cloud Run, unless the function has a disk: so its memory
# holds the largest input, what the engine writes beside it, and the engine itself. Where inputs may be
# larger than that, the functions that fetch any get a disk which holds all files.

locals {
  topics = var.pipeline.topics

  # sizes.json holds what functions get (infra/capacity reads it, too). `objects` is what a function
  # may do in the bucket:
  #   none   nothing
  #   list   see names and sizes
  #   media  read and write below media_v2/
  #   all    read and write below tenants/
  stated_sizes = jsondecode(file("${path.module}/sizes.json"))

  # A GPU on Cloud Run demands at least this, and the CPU while the instance lives.
  gpu_least = { cpu = 4, memory_gib = 16 }

  # What inputs need in GiB: in memory with room for what is held and written, on a disk the recording, its
  # parts and what they are joined to.
  input_memory_gib = 4 * var.max_input_bytes / pow(2, 30)
  input_disk_gib   = ceil(3 * var.max_input_bytes / pow(2, 30))

  push_wait_s       = 600  # Pub/Sub's longest
  longest_request_s = 3600 # Cloud Run's

  stated = {
    for name, row in var.pipeline.functions : name => merge(
      local.stated_sizes.defaults,
      row.machine == "gpu" ? { gpu = true } : {},
      try(local.stated_sizes.functions[name], {}),
      try({ for key, value in var.sizes[name] : key => value if value != null }, {}),
    )
  }

  functions = {
    for name, size in local.stated : name => merge(size, {
      cpu        = size.gpu ? max(size.cpu, local.gpu_least.cpu) : size.cpu
      memory_gib = size.gpu ? max(size.memory_gib, local.gpu_least.memory_gib) : size.memory_gib
      # Longer than any step may take: what a push no longer waits for is finished all the same.
      timeout_s = min(local.longest_request_s, max(local.push_wait_s, coalesce(var.pipeline.functions[name].timeout_s, 0)))
      # A function whose steps outlast a push needs its CPU after Pub/Sub has hung up.
      cpu_always = size.gpu || coalesce(var.pipeline.functions[name].timeout_s, 0) > local.push_wait_s
      steps      = var.pipeline.functions[name].steps
      # 0: files lie in memory.
      disk_gib = contains(["media", "all"], size.objects) && local.input_memory_gib > size.memory_gib ? local.input_disk_gib : 0
    })
  }

  # One push subscription for each consumed topic, of the topic's name.
  subscriptions = merge([
    for name, row in var.pipeline.functions : {
      for topic in row.consumes : topic => {
        function = name
        # What a subscription is made with it keeps: another filter makes another subscription.
        filter = lookup(var.pipeline.filters, topic, "")
        # The dead topic's own messages have nowhere further to go.
        dead_letter = topic != local.topics.dead
      }
    }
  ]...)

  step_topics = sort(distinct([
    for topic in keys(local.subscriptions) : topic if !contains(values(local.topics), topic)
  ]))

  all_topics = sort(distinct(concat(values(local.topics), local.step_topics)))

  step_functions = sort([for name, row in var.pipeline.functions : name if length(row.steps) > 0])

  # Who publishes where. A step that settles asks for what follows, and a request for one step asks
  # for what it needs, so whoever moves runs on may publish to each step's topic.
  movers = setintersection(concat(local.step_functions, ["probe", "sweep", "api"]), keys(var.pipeline.functions))
  publishers = merge(
    { for topic in local.step_topics : topic => sort(local.movers) },
    {
      (local.topics.results) = sort(local.movers)
      (local.topics.dead)    = sort(keys(var.pipeline.functions))
      (local.topics.uploads) = sort(setintersection(["sweep", "api"], keys(var.pipeline.functions)))
    },
  )
}
