// Configuration files of the shape that sites have: the agents run them as they stand, hosts and paths apart.

/** By their names. */
export const samples = {
  "sender.conf": `# where the application drops its messages
<incoming-queue>
    path = /var/spool/app/outgoing
</incoming-queue>
callback-code = <<EOC
    hdr.destination = "/queue/app.data"
    hdr.persistent = "true"
EOC
<outgoing-broker>
    uri = "stomp://mq.example.org:61613"
    auth = "plain name=app pass=s3cret"
</outgoing-broker>
reliable = true
pidfile = /run/app-sender.pid
daemon = true
loop = true
remove = true
`,
  "receiver.conf": `<incoming-broker>
    uri = failover:(stomp://mq1.example.org:61613,stomp://mq2.example.org:61613)?randomize=false
    <auth>
        scheme = plain
        name = receiver
        pass = s3cret
    </auth>
</incoming-broker>
<subscribe>
    destination = /queue/app.data
</subscribe>
<subscribe>
    destination = /topic/app.events
    id = events
</subscribe>
outgoing-queue = path=/var/spool/app/incoming type=DQN
pidfile = /run/app-receiver.pid
daemon = true
`,
  "shovel.conf": `<incoming>
    <broker>
        uri = stomp+ssl://mq.example.org:61614
    </broker>
</incoming>
<subscribe>
    destination = /queue/app.data
</subscribe>
<outgoing>
    <broker>
        uri = stomp://dev.example.org:61613
    </broker>
</outgoing>
callback-path = tap-and-clean.mjs      # start(data) opens data.path as a queue
callback-data = path=/var/spool/app/tap type=DQS
`,
} as const;
