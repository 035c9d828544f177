// Question 04: Which open alarms are within three relations of a service?
MATCH path = (:Entity {id: 'service:shop/cart'})-[*0..3]-(e:Entity)<-[:ON]-(a:Alarm)
WHERE a.ended_at IS NULL AND all(n IN nodes(path)[..-1] WHERE n:Entity)
RETURN a.name AS alarm, e.id AS entity, min(length(path)) - 1 AS distance ORDER BY distance, alarm
