// Picture 04: What became of an incident: its alarms, what happened to it, who judged it and which cause was confirmed
MATCH (i:Incident {id: 'I1'})
OPTIONAL MATCH (a:Alarm)-[part:PART_OF_INCIDENT]->(i)
OPTIONAL MATCH (said:Activity|Feedback)-[about:HAPPENED_TO|JUDGES]->(i)
OPTIONAL MATCH (i)-[cause:ROOT_CAUSE|CONFIRMED_CAUSE]->(e:Entity)
RETURN i, a, part, said, about, cause, e LIMIT 300
