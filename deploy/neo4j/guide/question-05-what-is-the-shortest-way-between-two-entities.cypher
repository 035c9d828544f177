// Question 05: What is the shortest way between two entities?
MATCH path = shortestPath((:Entity {id: 'service:shop/cart'})-[:CALLS|RUNS_ON|CONNECTED_TO*..6]-(:Entity {id: 'device:core-1'}))
RETURN [n IN nodes(path) | n.id] AS way
