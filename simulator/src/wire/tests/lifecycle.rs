//! Clusters, task definitions and services from their creation on, as an owner has them.

use super::*;

const SPOT: &str = "FARGATE_SPOT";

fn strategy() -> Value {
    json!([{ "capacityProvider": "FARGATE", "base": 1, "weight": 1 }, { "capacityProvider": SPOT, "base": 0, "weight": 3 }])
}

fn creation() -> Value {
    json!({
        "cluster": "shop",
        "serviceName": "cart",
        "taskDefinition": "cart",
        "desiredCount": 4,
        "capacityProviderStrategy": strategy(),
        "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-a", "subnet-b"] } },
        "enableExecuteCommand": true,
    })
}

/// A world with the cluster and the task definition of [`creation`].
fn shop() -> Bench {
    let mut bench = Bench::new(1, &mixed());
    ask(&mut bench, "CreateCluster", json!({ "clusterName": "shop", "capacityProviders": ["FARGATE", SPOT] }));
    let definition = json!({ "family": "cart", "cpu": "512", "memory": "1024", "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"], "containerDefinitions": [{ "name": "cart", "image": "cart:1" }] });
    ask(&mut bench, "RegisterTaskDefinition", definition);
    bench
}

fn cart(bench: &mut Bench) -> Value {
    let input = json!({ "cluster": "shop", "services": ["cart"], "include": ["TAGS"] });
    ask(bench, "DescribeServices", input)["services"][0].take()
}

#[test]
fn a_new_service_starts_its_tasks_by_its_strategy_and_completes_its_first_deployment() {
    let mut bench = shop();
    let created = ask(&mut bench, "CreateService", creation())["service"].take();
    let arn = "arn:aws:ecs:eu-west-1:111111111111:service/shop/cart";
    assert_eq!(created["serviceArn"], arn);
    assert_eq!((&created["desiredCount"], &created["runningCount"]), (&json!(4), &json!(0)));
    assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS");
    assert_eq!(created["enableExecuteCommand"], true);
    assert_eq!(created["taskDefinition"], "arn:aws:ecs:eu-west-1:111111111111:task-definition/cart:1");
    bench.run(Duration::from_secs(300));
    let running = cart(&mut bench);
    assert_eq!((&running["runningCount"], &running["pendingCount"]), (&json!(4), &json!(0)));
    assert_eq!(running["deployments"][0]["rolloutState"], "COMPLETED");
    assert!(
        running["events"][0]["message"].as_str().is_some_and(|m| m == "(service cart) has reached a steady state.")
    );
    let arns = ask(&mut bench, "ListTasks", json!({ "cluster": "shop", "serviceName": "cart" }))["taskArns"].take();
    let tasks = ask(&mut bench, "DescribeTasks", json!({ "cluster": "shop", "tasks": arns }))["tasks"].take();
    let tasks = tasks.as_array().expect("a list");
    assert_eq!(tasks.len(), 4);
    assert_eq!(tasks.iter().filter(|task| task["capacityProviderName"] == SPOT).count(), 2);
    assert!(
        tasks
            .iter()
            .all(|task| task["lastStatus"] == "RUNNING" && task["cpu"] == "512" && task["launchType"] == "FARGATE")
    );
    let deployments = ask(&mut bench, "ListServiceDeployments", json!({ "cluster": "shop", "service": "cart" }));
    let deployment = &deployments["serviceDeployments"][0];
    assert_eq!(deployment["status"], "SUCCESSFUL");
    let described = json!({ "serviceDeploymentArns": [deployment["serviceDeploymentArn"]] });
    let described = ask(&mut bench, "DescribeServiceDeployments", described);
    assert_eq!(described["serviceDeployments"][0]["targetServiceRevision"]["runningTaskCount"], 4);
    let cluster = ask(&mut bench, "DescribeClusters", json!({ "clusters": ["shop", "none"] }));
    assert_eq!(
        (&cluster["clusters"][0]["runningTasksCount"], &cluster["clusters"][0]["activeServicesCount"]),
        (&json!(4), &json!(1))
    );
    assert_eq!(cluster["failures"][0]["reason"], "MISSING");
    let listed = ask(&mut bench, "ListServices", json!({ "cluster": "shop" }));
    assert_eq!(listed, json!({ "serviceArns": [arn] }));
}

#[test]
fn a_change_of_strategy_is_refused_without_force_in_the_words_of_aws_and_deployed_with_it() {
    let mut bench = shop();
    ask(&mut bench, "CreateService", creation());
    bench.run(Duration::from_secs(300));
    let fallback =
        json!([{ "capacityProvider": SPOT, "weight": 0 }, { "capacityProvider": "FARGATE", "weight": 10, "base": 1 }]);
    let mut update = json!({ "cluster": "shop", "service": "cart", "capacityProviderStrategy": fallback });
    let before = cart(&mut bench);
    let (code, message) = refused(&mut bench, "UpdateService", update.clone());
    assert_eq!(code, "InvalidParameterException");
    assert!(
        message.starts_with("When switching from launch type to capacity provider strategy on an existing service"),
        "{message}"
    );
    assert_eq!(cart(&mut bench), before);
    update["forceNewDeployment"] = true.into();
    let updated = ask(&mut bench, "UpdateService", update)["service"].take();
    assert_eq!(
        updated["capacityProviderStrategy"][1],
        json!({ "capacityProvider": "FARGATE", "weight": 10, "base": 1 })
    );
    let statuses: Vec<&Value> =
        updated["deployments"].as_array().expect("a list").iter().map(|d| &d["status"]).collect();
    assert_eq!(statuses, ["PRIMARY", "ACTIVE"]);
}

#[test]
fn a_new_task_definition_is_deployed_unforced_and_older_deployments_keep_theirs() {
    let mut bench = shop();
    ask(&mut bench, "CreateService", creation());
    bench.run(Duration::from_secs(300));
    let second = json!({ "family": "cart", "containerDefinitions": [{ "name": "cart", "image": "cart:2" }] });
    assert_eq!(ask(&mut bench, "RegisterTaskDefinition", second)["taskDefinition"]["revision"], 2);
    let update = json!({ "cluster": "shop", "service": "cart", "taskDefinition": "cart:2", "desiredCount": 5 });
    let updated = ask(&mut bench, "UpdateService", update.clone())["service"].take();
    let shown: Vec<&str> = updated["deployments"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|d| d["taskDefinition"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default())
        .collect();
    assert_eq!(shown, ["cart:2", "cart:1"]);
    assert_eq!(updated["desiredCount"], 5);
    let again = ask(&mut bench, "UpdateService", update)["service"].take();
    assert_eq!(again["deployments"].as_array().map(Vec::len), Some(2), "the same again deploys nothing");
}

#[test]
fn what_cannot_be_created_is_refused_and_leaves_nothing() {
    let mut bench = shop();
    let one_base_too_many =
        json!([{ "capacityProvider": "FARGATE", "base": 1, "weight": 1 }, { "capacityProvider": SPOT, "base": 1 }]);
    let cases = [
        ("cluster", json!("none"), "ClusterNotFoundException", "Cluster not found."),
        (
            "cluster",
            json!("arn:aws:ecs:eu-west-1:222222222222:cluster/shop"),
            "InvalidParameterException",
            "222222222222",
        ),
        ("serviceName", json!("a b"), "InvalidParameterException", "Up to 255 letters"),
        ("serviceName", json!(null), "InvalidParameterException", "serviceName can not be null."),
        ("taskDefinition", json!("none:3"), "ClientException", "TaskDefinition not found."),
        ("desiredCount", json!(-1), "InvalidParameterException", "must not be negative"),
        ("desiredCount", json!(5001), "InvalidParameterException", "quota of tasks"),
        ("launchType", json!("FARGATE"), "InvalidParameterException", "Specifying both a launch type"),
        ("schedulingStrategy", json!("DAEMON"), "InvalidParameterException", "daemon"),
        ("networkConfiguration", json!(null), "InvalidParameterException", "Network Configuration must be provided"),
        (
            "capacityProviderStrategy",
            json!([{ "capacityProvider": "mine", "weight": 1 }]),
            "InvalidParameterException",
            "not associated with the cluster",
        ),
        (
            "capacityProviderStrategy",
            json!([{ "capacityProvider": SPOT, "weight": 0 }]),
            "InvalidParameterException",
            "weight value greater than zero",
        ),
        ("capacityProviderStrategy", one_base_too_many, "InvalidParameterException", "multiple capacity providers"),
        ("deploymentConfiguration", json!({ "minimumHealthyPercent": 101 }), "InvalidParameterException", "0 to 100"),
    ];
    for (member, value, code, words) in cases {
        let mut input = creation();
        input[member] = value;
        let (refused, message) = refused(&mut bench, "CreateService", input.clone());
        assert_eq!(refused, code, "{input}: {message}");
        assert!(message.contains(words), "{input}: {message}");
    }
    assert_eq!(ask(&mut bench, "ListServices", json!({ "cluster": "shop" })), json!({ "serviceArns": [] }));
    let mut on_instances = creation();
    on_instances["capacityProviderStrategy"] = json!(null);
    assert_eq!(ask_as(&mut bench, OWNER, "CreateService", on_instances).0, 501);
}

#[test]
fn a_deleted_service_drains_and_its_name_is_free_again() {
    let mut bench = shop();
    let mut input = creation();
    input["clientToken"] = "once".into();
    ask(&mut bench, "CreateService", input.clone());
    let id = |service: &Value| service["deployments"][0]["id"].clone();
    let first = cart(&mut bench);
    assert_eq!(
        id(&ask(&mut bench, "CreateService", input)["service"]),
        id(&first),
        "the same token is the same service"
    );
    let again = refused(&mut bench, "CreateService", creation());
    assert_eq!(again.1, "Creation of service was not idempotent.");
    bench.run(Duration::from_secs(300));
    let mut deletion = json!({ "cluster": "shop", "service": "cart" });
    assert!(refused(&mut bench, "DeleteService", deletion.clone()).1.contains("scaled above 0"));
    deletion["force"] = true.into();
    assert_eq!(ask(&mut bench, "DeleteService", deletion.clone())["service"]["status"], "DRAINING");
    bench.run(Duration::from_secs(300));
    assert_eq!(cart(&mut bench)["status"], "INACTIVE");
    assert_eq!(refused(&mut bench, "DeleteService", deletion).0, "ServiceNotFoundException");
    let update = json!({ "cluster": "shop", "service": "cart", "desiredCount": 1 });
    assert_eq!(refused(&mut bench, "UpdateService", update).0, "ServiceNotActiveException");
    let mut smaller = creation();
    smaller["desiredCount"] = 2.into();
    smaller["deploymentConfiguration"] = json!({ "minimumHealthyPercent": 50, "maximumPercent": 150 });
    let created = ask(&mut bench, "CreateService", smaller)["service"].take();
    assert_ne!(created["createdAt"], first["createdAt"]);
    assert_eq!(
        (&created["desiredCount"], &created["deploymentConfiguration"]["maximumPercent"]),
        (&json!(2), &json!(150))
    );
    bench.run(Duration::from_secs(300));
    assert_eq!(cart(&mut bench)["runningCount"], 2);
}

#[test]
fn the_opt_out_tag_is_the_one_the_handlers_look_for() {
    let mut bench = Bench::new(1, &mixed());
    let arn = "arn:aws:ecs:eu-west-1:111111111111:service/web/checkout";
    let tags = json!([{ "key": "spot-recovery", "value": "off" }, { "key": "team", "value": "web" }]);
    ask(&mut bench, "TagResource", json!({ "resourceArn": arn, "tags": tags }));
    assert!(bench.world.ecs.services[0].opted_out);
    let listed = ask(&mut bench, "ListTagsForResource", json!({ "resourceArn": arn }))["tags"].take();
    assert_eq!(listed.as_array().map(Vec::len), Some(2));
    assert_eq!(described(&mut bench, "checkout")["tags"], listed);
    ask(&mut bench, "UntagResource", json!({ "resourceArn": arn, "tagKeys": ["spot-recovery"] }));
    assert!(!bench.world.ecs.services[0].opted_out);
    ask(&mut bench, "TagResource", json!({ "resourceArn": arn, "tags": [{ "key": "spot-recovery", "value": "on" }] }));
    assert!(!bench.world.ecs.services[0].opted_out);
    let names: Vec<Value> = described(&mut bench, "checkout")["tags"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|t| t["value"].clone())
        .collect();
    assert_eq!(names, ["on", "web"]);
}

#[test]
fn a_provider_in_use_stays_with_its_cluster() {
    let mut bench = shop();
    ask(&mut bench, "CreateService", creation());
    let mut input =
        json!({ "cluster": "shop", "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": [] });
    assert_eq!(refused(&mut bench, "PutClusterCapacityProviders", input.clone()).0, "ResourceInUseException");
    input["capacityProviders"] = json!(["FARGATE", SPOT, "mine"]);
    assert_eq!(refused(&mut bench, "PutClusterCapacityProviders", input.clone()).0, "InvalidParameterException");
    input["capacityProviders"] = json!([SPOT, "FARGATE"]);
    input["defaultCapacityProviderStrategy"] = json!([{ "capacityProvider": SPOT, "weight": 1 }]);
    let cluster = ask(&mut bench, "PutClusterCapacityProviders", input)["cluster"].take();
    assert_eq!(cluster["capacityProviders"], json!([SPOT, "FARGATE"]));
    let mut inherits = creation();
    (inherits["serviceName"], inherits["capacityProviderStrategy"]) = (json!("search"), json!(null));
    let created = ask(&mut bench, "CreateService", inherits)["service"].take();
    assert_eq!(created["capacityProviderStrategy"], json!([{ "capacityProvider": SPOT, "weight": 1, "base": 0 }]));
}

#[test]
fn a_stopped_task_is_replaced() {
    let mut bench = shop();
    ask(&mut bench, "CreateService", creation());
    bench.run(Duration::from_secs(300));
    let tasks = ask(&mut bench, "ListTasks", json!({ "cluster": "shop", "maxResults": 1 }));
    let input = json!({ "cluster": "shop", "task": tasks["taskArns"][0], "reason": "drill" });
    let stopped = ask(&mut bench, "StopTask", input)["task"].take();
    assert_eq!(
        (&stopped["desiredStatus"], &stopped["stopCode"], &stopped["stoppedReason"]),
        (&json!("STOPPED"), &json!("UserInitiated"), &json!("drill"))
    );
    assert_eq!(cart(&mut bench)["runningCount"], 3);
    bench.run(Duration::from_secs(300));
    assert_eq!(cart(&mut bench)["runningCount"], 4);
}

#[test]
fn lists_are_read_page_by_page_to_the_end() {
    let mut bench = shop();
    bench.world.facts.update_bucket = (50, 5);
    for n in 0..25 {
        let mut input = creation();
        (input["serviceName"], input["desiredCount"]) = (json!(format!("cart-{n}")), json!(0));
        ask(&mut bench, "CreateService", input);
    }
    let (mut all, mut sizes, mut token) = (Vec::new(), Vec::new(), json!(null));
    loop {
        let page = ask(&mut bench, "ListServices", json!({ "cluster": "shop", "nextToken": token }));
        let arns = page["serviceArns"].as_array().expect("a list").clone();
        sizes.push(arns.len());
        all.extend(arns);
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    all.dedup();
    assert_eq!((sizes, all.len()), (vec![10, 10, 5], 25));
    assert_eq!(refused(&mut bench, "ListServices", json!({ "cluster": "shop", "nextToken": "?" })).1, "Invalid token.");
    assert!(refused(&mut bench, "ListServices", json!({ "cluster": "shop", "maxResults": 101 })).1.contains("100"));
    let names: Vec<String> = (0..11).map(|n| format!("cart-{n}")).collect();
    let many = refused(&mut bench, "DescribeServices", json!({ "cluster": "shop", "services": names }));
    assert_eq!(many.1, "service names can have at most 10 items.");
}
