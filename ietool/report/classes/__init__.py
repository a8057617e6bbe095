"""What a report tells of predictions: errors by class, scores by length and by name, how sure a model was."""
